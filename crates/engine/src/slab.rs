//! Values at places that stay theirs.

use std::ops::{Index, IndexMut};

/// Values at places that stay theirs; a place that was left is taken again.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: Vec<Option<T>>,
    vacant: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Slab {
            places: Vec::new(),
            vacant: Vec::new(),
        }
    }

    pub(crate) fn insert(&mut self, value: T) -> u32 {
        if let Some(slot) = self.vacant.pop() {
            self.places[slot as usize] = Some(value);
            return slot;
        }
        let slot =
            u32::try_from(self.places.len()).expect("fewer than 2^32 sequences fit into memory");
        self.places.push(Some(value));
        slot
    }

    pub(crate) fn remove(&mut self, slot: u32) -> Option<T> {
        let value = self.places.get_mut(slot as usize)?.take()?;
        self.vacant.push(slot);
        Some(value)
    }

    pub(crate) fn get(&self, slot: u32) -> Option<&T> {
        self.places.get(slot as usize)?.as_ref()
    }

    pub(crate) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.places.get_mut(slot as usize)?.as_mut()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }
}

impl<T> Index<u32> for Slab<T> {
    type Output = T;

    #[inline]
    fn index(&self, slot: u32) -> &T {
        self.places[slot as usize]
            .as_ref()
            .expect("a listed slot is taken")
    }
}

impl<T> IndexMut<u32> for Slab<T> {
    #[inline]
    fn index_mut(&mut self, slot: u32) -> &mut T {
        self.places[slot as usize]
            .as_mut()
            .expect("a listed slot is taken")
    }
}
