//! Known beginnings of prompts, as a tree of full blocks.

use crate::{BLOCK_TOKENS, BlockId, TokenId};

/// No block: the end of a list.
const NONE: BlockId = BlockId::MAX;

/// A place in the tree of known prefixes: a full block and everything before it.
///
/// Its serial is never used again, so that a node whose block was evicted, and maybe filled anew, is not mistaken for
/// the new contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PrefixNode {
    block: BlockId,
    serial: u64,
}

impl PrefixNode {
    /// The beginning of every sequence.
    pub const ROOT: PrefixNode = PrefixNode {
        block: NONE,
        serial: 0,
    };
}

/// What is known of one block.
#[derive(Clone, Debug)]
struct Entry {
    /// 0: nothing is known.
    serial: u64,
    /// The serial of the block before it.
    parent: u64,
    tokens: [TokenId; BLOCK_TOKENS],
    bucket: u32,
    /// The next block in the same bucket.
    chained: BlockId,
    /// Neighbours in the order of eviction; both [`NONE`] for a block that is held.
    older: BlockId,
    newer: BlockId,
}

/// Full blocks by their contents: the tokens, and the node before them.
///
/// A hash finds candidates; tokens and parent are compared before anything counts as a hit. Blocks that nobody holds
/// are in a list in the order of their last use. All operations are O(1), lookups O(1) a block.
#[derive(Debug)]
pub(crate) struct PrefixCache {
    entries: Vec<Entry>,
    buckets: Vec<BlockId>,
    oldest: BlockId,
    newest: BlockId,
    evictable: usize,
    serials: u64,
    hash: fn(u64, &[TokenId; BLOCK_TOKENS]) -> u64,
}

impl PrefixCache {
    pub(crate) fn new(blocks: usize) -> Self {
        let unknown = Entry {
            serial: 0,
            parent: 0,
            tokens: [0; BLOCK_TOKENS],
            bucket: 0,
            chained: NONE,
            older: NONE,
            newer: NONE,
        };
        PrefixCache {
            entries: vec![unknown; blocks],
            buckets: vec![NONE; blocks.next_power_of_two()],
            oldest: NONE,
            newest: NONE,
            evictable: 0,
            serials: 0,
            hash: mix,
        }
    }

    pub(crate) fn evictable(&self) -> usize {
        self.evictable
    }

    pub(crate) fn registrations(&self) -> u64 {
        self.serials
    }

    pub(crate) fn is_registered(&self, block: BlockId) -> bool {
        self.entries[block as usize].serial != 0
    }

    /// Whether the node's block still holds what it held.
    pub(crate) fn is_current(&self, node: PrefixNode) -> bool {
        node == PrefixNode::ROOT || self.entries[node.block as usize].serial == node.serial
    }

    pub(crate) fn find(
        &self,
        parent: PrefixNode,
        tokens: &[TokenId; BLOCK_TOKENS],
    ) -> Option<(BlockId, PrefixNode)> {
        let mut block = self.buckets[self.bucket(parent, tokens) as usize];
        while block != NONE {
            let entry = &self.entries[block as usize];
            if entry.parent == parent.serial && entry.tokens == *tokens {
                let serial = entry.serial;
                return Some((block, PrefixNode { block, serial }));
            }
            block = entry.chained;
        }
        None
    }

    /// The known full blocks from the beginning of `tokens` on.
    pub(crate) fn walk(&self, tokens: &[TokenId]) -> impl Iterator<Item = (BlockId, PrefixNode)> {
        let mut parent = PrefixNode::ROOT;
        tokens.as_chunks().0.iter().map_while(move |tokens| {
            let found = self.find(parent, tokens)?;
            parent = found.1;
            Some(found)
        })
    }

    /// Makes a held block known. Its contents must not be known under another block.
    pub(crate) fn insert(
        &mut self,
        block: BlockId,
        parent: PrefixNode,
        tokens: &[TokenId; BLOCK_TOKENS],
    ) -> PrefixNode {
        if self.is_registered(block) {
            self.remove(block);
        }
        self.serials += 1;
        let bucket = self.bucket(parent, tokens);
        self.entries[block as usize] = Entry {
            serial: self.serials,
            parent: parent.serial,
            tokens: *tokens,
            bucket,
            chained: self.buckets[bucket as usize],
            older: NONE,
            newer: NONE,
        };
        self.buckets[bucket as usize] = block;
        PrefixNode {
            block,
            serial: self.serials,
        }
    }

    /// Nobody holds it any more: it is evicted after all that were put here before.
    pub(crate) fn make_evictable(&mut self, block: BlockId) {
        let entry = &mut self.entries[block as usize];
        entry.older = self.newest;
        entry.newer = NONE;
        match self.newest {
            NONE => self.oldest = block,
            newest => self.entries[newest as usize].newer = block,
        }
        self.newest = block;
        self.evictable += 1;
    }

    /// Somebody holds it again.
    pub(crate) fn hold(&mut self, block: BlockId) {
        let Entry { older, newer, .. } = self.entries[block as usize];
        match older {
            NONE => self.oldest = newer,
            older => self.entries[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self.entries[newer as usize].older = older,
        }
        self.evictable -= 1;
    }

    /// Forgets the block that nobody has held for longest, and gives it away.
    pub(crate) fn evict(&mut self) -> Option<BlockId> {
        let block = self.oldest;
        if block == NONE {
            return None;
        }
        self.hold(block);
        self.remove(block);
        Some(block)
    }

    /// Forgets what is known of all blocks; only held ones may be left.
    pub(crate) fn clear(&mut self) {
        debug_assert_eq!(self.evictable, 0);
        self.buckets.fill(NONE);
        for entry in &mut self.entries {
            entry.serial = 0;
        }
    }

    fn remove(&mut self, block: BlockId) {
        let Entry {
            bucket, chained, ..
        } = self.entries[block as usize];
        let first = &mut self.buckets[bucket as usize];
        if *first == block {
            *first = chained;
        } else {
            let mut before = *first;
            while self.entries[before as usize].chained != block {
                before = self.entries[before as usize].chained;
            }
            self.entries[before as usize].chained = chained;
        }
        self.entries[block as usize].serial = 0;
    }

    #[allow(
        clippy::cast_possible_truncation,
        reason = "buckets are a power of two of at most 2^32"
    )]
    fn bucket(&self, parent: PrefixNode, tokens: &[TokenId; BLOCK_TOKENS]) -> u32 {
        (self.hash)(parent.serial, tokens) as u32 & (self.buckets.len() - 1) as u32
    }

    pub(crate) fn assert_consistent(
        &self,
        held: impl Fn(BlockId) -> bool,
        free: impl Fn(BlockId) -> bool,
    ) {
        let mut listed = 0;
        let mut block = self.oldest;
        while block != NONE {
            assert!(
                self.is_registered(block),
                "block {block} is cached without contents"
            );
            assert!(
                !held(block) && !free(block),
                "block {block} is in two states"
            );
            listed += 1;
            assert!(listed <= self.evictable, "the order of eviction has a loop");
            block = self.entries[block as usize].newer;
        }
        assert_eq!(listed, self.evictable);
        for (&head, bucket) in self.buckets.iter().zip(0..) {
            let mut block = head;
            while block != NONE {
                let entry = &self.entries[block as usize];
                assert_eq!(entry.bucket, bucket);
                assert_ne!(entry.serial, 0);
                assert!(
                    !free(block),
                    "block {block} is free, and its contents can be found"
                );
                block = entry.chained;
            }
        }
    }
}

/// Multiply and rotate, word by word. It needs to spread, not to resist: a collision costs a comparison, never a
/// wrong hit.
fn mix(parent: u64, tokens: &[TokenId; BLOCK_TOKENS]) -> u64 {
    /// 2^64 divided by the golden ratio, made odd (Knuth, The Art of Computer Programming 3, 6.4).
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut hash = parent.wrapping_add(1).wrapping_mul(SPREAD);
    for pair in tokens.as_chunks::<2>().0 {
        let word = u64::from(pair[0]) << 32 | u64::from(pair[1]);
        hash = (hash.rotate_left(23) ^ word).wrapping_mul(SPREAD);
    }
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::{PrefixCache, PrefixNode};
    use crate::{BLOCK_TOKENS, TokenId};

    fn contents(seed: TokenId) -> [TokenId; BLOCK_TOKENS] {
        std::array::from_fn(|index| seed + TokenId::try_from(index).unwrap())
    }

    #[test]
    fn a_hit_means_equal_tokens_and_parent_not_only_an_equal_hash() {
        let mut cache = PrefixCache::new(4);
        cache.hash = |_, _| 3;
        let one = cache.insert(0, PrefixNode::ROOT, &contents(1));
        let two = cache.insert(1, one, &contents(2));
        assert_eq!(cache.find(PrefixNode::ROOT, &contents(1)), Some((0, one)));
        assert_eq!(cache.find(one, &contents(2)), Some((1, two)));
        assert_eq!(cache.find(PrefixNode::ROOT, &contents(2)), None);
        assert_eq!(cache.find(two, &contents(2)), None);
        assert_eq!(cache.find(one, &contents(1)), None);
    }

    #[test]
    fn chained_entries_are_removed_one_by_one() {
        let mut cache = PrefixCache::new(3);
        cache.hash = |_, _| 0;
        for block in 0..3 {
            cache.insert(block, PrefixNode::ROOT, &contents(block * 100));
        }
        cache.make_evictable(1);
        cache.make_evictable(0);
        cache.make_evictable(2);
        for (evicted, left) in [(1, vec![0, 2]), (0, vec![2]), (2, vec![])] {
            assert_eq!(cache.evict(), Some(evicted));
            let known = |block: &u32| {
                cache
                    .find(PrefixNode::ROOT, &contents(block * 100))
                    .is_some()
            };
            assert_eq!((0..3).filter(known).collect::<Vec<_>>(), left);
            cache.assert_consistent(|_| false, |_| false);
        }
        assert_eq!(cache.evict(), None);
    }

    #[test]
    fn a_block_filled_anew_is_no_parent_of_what_followed_its_old_contents() {
        let mut cache = PrefixCache::new(2);
        let old = cache.insert(0, PrefixNode::ROOT, &contents(1));
        cache.insert(1, old, &contents(2));
        cache.make_evictable(0);
        assert_eq!(cache.evict(), Some(0));
        let new = cache.insert(0, PrefixNode::ROOT, &contents(9));
        assert!(!cache.is_current(old));
        assert_eq!(cache.find(new, &contents(2)), None);
    }
}
