//! What a hostile file can make us allocate. Alone in its process, because the allocator counts for all threads.

mod common;

use cap::Cap;
use common::{Field, tiny_llama};
use models::{ModelsError, open_gguf, open_safetensors};
use std::alloc::System;

#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// The error of `work`, which may allocate `bytes` more; with one byte beyond, the process ends.
fn within<T>(bytes: usize, work: impl FnOnce() -> Result<T, ModelsError>) -> String {
    ALLOCATOR.set_limit(ALLOCATOR.allocated() + bytes).unwrap();
    let error = work().err();
    ALLOCATOR.set_limit(usize::MAX).unwrap();
    error.expect("taken").to_string()
}

#[test]
fn bad_input_35_a_list_that_claims_terabytes_allocates_no_more_than_the_file_justifies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("claims.gguf");
    for kind in [0, 1, 4, 6, 7, 8, 10, 12] {
        for count in [1 << 40, 1 << 62, u64::MAX] {
            let mut claiming = tiny_llama();
            claiming.set("tokenizer.ggml.scores", Field::claim(kind, count));
            let bytes = claiming.bytes().1;
            std::fs::write(&path, &bytes).unwrap();
            let error = within(bytes.len(), || open_gguf(&path));
            assert!(error.contains("have no room"), "{error}");
        }
    }
    let path = folder.path().join("model.safetensors");
    let header = (1u64 << 40).to_le_bytes();
    std::fs::write(&path, [&header[..], b"{}"].concat()).unwrap();
    let error = within(16_384, || open_safetensors(&path));
    assert!(error.contains("claims a header"), "{error}");
}
