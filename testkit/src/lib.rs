//! Fakes and builders shared by tests; nothing ships from here.
