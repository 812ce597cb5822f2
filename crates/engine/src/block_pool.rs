//! Blocks of the cache, counted by who holds them.

use crate::prefix_cache::{PrefixCache, PrefixNode};
use crate::{BLOCK_TOKENS, BlockId, TokenId};

/// The right to use one block of the cache.
///
/// It can't be cloned: [`BlockPool::share`] makes a second handle and counts it, [`BlockPool::release`] consumes one.
/// So a block can't be freed twice, and a forgotten handle shows in [`BlockPool::owned`].
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a handle that is dropped without `BlockPool::release` leaks its block"]
pub struct KvBlock(BlockId);

impl KvBlock {
    /// Which block of the model's cache it is.
    #[inline]
    pub fn id(&self) -> BlockId {
        self.0
    }
}

/// What the prefix cache knows of the beginning of a sequence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrefixHits {
    /// Full blocks that need not be computed.
    pub blocks: usize,
    /// How many of them somebody holds: those cost nothing of what is available.
    pub held: usize,
}

/// All blocks of a model's cache. Each is in one of three states: free (empty), cached (its contents are known and
/// nobody holds it), owned (held by at least one sequence).
#[derive(Debug)]
pub struct BlockPool {
    holders: Vec<u32>,
    free: Vec<BlockId>,
    owned: usize,
    cache: Option<PrefixCache>,
}

impl BlockPool {
    /// A pool of `blocks` free blocks; `prefix_cache`: full blocks are kept for prompts that begin alike.
    ///
    /// # Panics
    /// With more blocks than a [`BlockId`] can name.
    pub fn new(blocks: usize, prefix_cache: bool) -> Self {
        let count = BlockId::try_from(blocks).expect("block ids are 32 bits wide");
        BlockPool {
            holders: vec![0; blocks],
            free: (0..count).rev().collect(),
            owned: 0,
            cache: prefix_cache.then(|| PrefixCache::new(blocks)),
        }
    }

    /// All blocks.
    pub fn total(&self) -> usize {
        self.holders.len()
    }

    /// Blocks without contents.
    pub fn free(&self) -> usize {
        self.free.len()
    }

    /// Blocks with contents that nobody holds.
    pub fn cached(&self) -> usize {
        self.cache.as_ref().map_or(0, PrefixCache::evictable)
    }

    /// Blocks that somebody holds.
    pub fn owned(&self) -> usize {
        self.owned
    }

    /// Blocks that [`Self::allocate`] can give: the free and the cached ones.
    #[inline]
    pub fn available(&self) -> usize {
        self.holders.len() - self.owned
    }

    /// Full blocks that were made known to the prefix cache so far.
    pub fn registrations(&self) -> u64 {
        self.cache.as_ref().map_or(0, PrefixCache::registrations)
    }

    /// A block with one holder and unspecified contents: a free one, else the cached one that was used least recently.
    pub fn allocate(&mut self) -> Option<KvBlock> {
        let block = match self.free.pop() {
            Some(block) => block,
            None => self.cache.as_mut()?.evict()?,
        };
        debug_assert_eq!(self.holders[block as usize], 0);
        self.holders[block as usize] = 1;
        self.owned += 1;
        Some(KvBlock(block))
    }

    /// A second handle of the same block.
    pub fn share(&mut self, block: &KvBlock) -> KvBlock {
        self.acquire(block.0)
    }

    /// Whether somebody else holds it too, so that it must not be written.
    pub fn is_shared(&self, block: &KvBlock) -> bool {
        self.holders[block.0 as usize] > 1
    }

    /// Gives one handle back. The last one makes the block cached where its contents are known, else free.
    #[allow(clippy::needless_pass_by_value, reason = "the handle is used up")]
    pub fn release(&mut self, block: KvBlock) {
        let KvBlock(id) = block;
        let holders = &mut self.holders[id as usize];
        *holders -= 1;
        if *holders > 0 {
            return;
        }
        self.owned -= 1;
        match &mut self.cache {
            Some(cache) if cache.is_registered(id) => cache.make_evictable(id),
            _ => self.free.push(id),
        }
    }

    /// How many of the first `blocks_max` full blocks of `tokens` are known. Takes nothing.
    pub fn find_prefix(&self, tokens: &[TokenId], blocks_max: usize) -> PrefixHits {
        let Some(cache) = &self.cache else {
            return PrefixHits::default();
        };
        let mut hits = PrefixHits::default();
        for (block, _) in cache.walk(tokens).take(blocks_max) {
            hits.blocks += 1;
            hits.held += usize::from(self.holders[block as usize] > 0);
        }
        hits
    }

    /// Takes what [`Self::find_prefix`] counted; `table` gets the blocks. Gives the node of the last one, which is the
    /// parent of the block that follows.
    pub fn take_prefix(
        &mut self,
        tokens: &[TokenId],
        blocks_max: usize,
        table: &mut Vec<KvBlock>,
    ) -> PrefixNode {
        let mut parent = PrefixNode::ROOT;
        for tokens in tokens.as_chunks::<BLOCK_TOKENS>().0.iter().take(blocks_max) {
            let found = self
                .cache
                .as_ref()
                .and_then(|cache| cache.find(parent, tokens));
            let Some((block, node)) = found else { break };
            table.push(self.acquire(block));
            parent = node;
        }
        parent
    }

    /// Makes the contents of a full block known, after they were computed. Where the same contents are known already,
    /// the block is exchanged for the known one, so that equal prefixes take their memory once.
    ///
    /// `None` as parent, in and out: what came before is no longer known, so nothing after it can be found.
    pub fn register(
        &mut self,
        block: KvBlock,
        parent: Option<PrefixNode>,
        tokens: &[TokenId; BLOCK_TOKENS],
    ) -> (KvBlock, Option<PrefixNode>) {
        let Some((cache, parent)) = self.cache.as_mut().zip(parent) else {
            return (block, None);
        };
        if !cache.is_current(parent) {
            return (block, None);
        }
        match cache.find(parent, tokens) {
            Some((known, node)) if known == block.0 => (block, Some(node)),
            Some((known, node)) => {
                let known = self.acquire(known);
                self.release(block);
                (known, Some(node))
            }
            None => {
                let node = cache.insert(block.0, parent, tokens);
                (block, Some(node))
            }
        }
    }

    /// Forgets all contents; what somebody holds stays theirs.
    pub fn reset_prefix_cache(&mut self) {
        if let Some(cache) = &mut self.cache {
            while let Some(block) = cache.evict() {
                self.free.push(block);
            }
            cache.clear();
        }
    }

    /// For tests: looks at every block. `held` are all handles that there are.
    ///
    /// # Panics
    /// Unless free + cached + owned = total, no block is in two states, and handles are what was counted.
    pub fn assert_consistent<'a>(&self, held: impl Iterator<Item = &'a KvBlock>) {
        let mut handles = vec![0; self.total()];
        for block in held {
            handles[block.0 as usize] += 1;
        }
        assert_eq!(
            handles, self.holders,
            "reference counts are the numbers of holders"
        );
        let owned = self.holders.iter().filter(|&&holders| holders > 0).count();
        assert_eq!(owned, self.owned, "owned blocks are those with holders");
        let mut free = vec![false; self.total()];
        for &block in &self.free {
            assert_eq!(
                self.holders[block as usize], 0,
                "block {block} is free and held"
            );
            assert!(!free[block as usize], "block {block} is free twice");
            free[block as usize] = true;
        }
        if let Some(cache) = &self.cache {
            cache.assert_consistent(
                |block| self.holders[block as usize] > 0,
                |block| free[block as usize],
            );
        }
        assert_eq!(self.free() + self.cached() + self.owned(), self.total());
    }

    fn acquire(&mut self, id: BlockId) -> KvBlock {
        let holders = &mut self.holders[id as usize];
        if *holders == 0 {
            self.owned += 1;
            if let Some(cache) = &mut self.cache {
                cache.hold(id);
            }
        }
        *holders += 1;
        KvBlock(id)
    }
}

#[cfg(test)]
mod tests {
    use super::{BlockPool, KvBlock};
    use crate::prefix_cache::PrefixNode;
    use crate::{BLOCK_TOKENS, TokenId};
    use proptest::prelude::*;

    fn contents(seed: u32) -> [TokenId; BLOCK_TOKENS] {
        [seed; BLOCK_TOKENS]
    }

    /// What a test does to a pool; indices are taken modulo what there is.
    #[derive(Clone, Debug)]
    enum Action {
        Allocate,
        Share(usize),
        Release(usize),
        Register(usize, u32),
        Take(u32),
        Reset,
    }

    fn actions() -> impl Strategy<Value = Vec<Action>> {
        let action = prop_oneof![
            4 => Just(Action::Allocate),
            2 => any::<usize>().prop_map(Action::Share),
            4 => any::<usize>().prop_map(Action::Release),
            3 => (any::<usize>(), 0..4_u32).prop_map(|(index, seed)| Action::Register(index, seed)),
            2 => (0..4_u32).prop_map(Action::Take),
            1 => Just(Action::Reset),
        ];
        proptest::collection::vec(action, 0..120)
    }

    proptest! {
        #[test]
        fn free_cached_and_owned_make_the_total_after_each_step(
            actions in actions(),
            blocks in 1..12_usize,
            prefix_cache: bool,
        ) {
            let mut pool = BlockPool::new(blocks, prefix_cache);
            let mut held: Vec<KvBlock> = Vec::new();
            for action in actions {
                match action {
                    Action::Allocate => {
                        let available = pool.available();
                        let block = pool.allocate();
                        prop_assert_eq!(block.is_some(), available > 0);
                        held.extend(block);
                    }
                    Action::Share(index) if !held.is_empty() => {
                        let index = index % held.len();
                        let second = pool.share(&held[index]);
                        prop_assert!(pool.is_shared(&second));
                        held.push(second);
                    }
                    Action::Release(index) if !held.is_empty() => {
                        pool.release(held.swap_remove(index % held.len()));
                    }
                    Action::Register(index, seed) if !held.is_empty() => {
                        let index = index % held.len();
                        let block = held.swap_remove(index);
                        let (block, _) = pool.register(block, Some(PrefixNode::ROOT), &contents(seed));
                        held.push(block);
                    }
                    Action::Take(seed) => {
                        let hits = pool.find_prefix(&contents(seed), 1);
                        let before = held.len();
                        pool.take_prefix(&contents(seed), 1, &mut held);
                        prop_assert_eq!(held.len() - before, hits.blocks);
                    }
                    Action::Reset => pool.reset_prefix_cache(),
                    Action::Share(_) | Action::Release(_) | Action::Register(..) => {}
                }
                pool.assert_consistent(held.iter());
            }
            for block in held {
                pool.release(block);
            }
            prop_assert_eq!(pool.available(), blocks);
            prop_assert_eq!(pool.owned(), 0);
        }
    }

    #[test]
    fn what_somebody_holds_is_not_evicted() {
        let mut pool = BlockPool::new(2, true);
        let held = pool.allocate().unwrap();
        let (held, _) = pool.register(held, Some(PrefixNode::ROOT), &contents(1));
        let other = pool.allocate().unwrap();
        let (other, _) = pool.register(other, Some(PrefixNode::ROOT), &contents(2));
        pool.release(other);
        let taken = pool.allocate().unwrap();
        assert_ne!(taken.id(), held.id());
        assert_eq!(pool.allocate(), None);
        assert_eq!(pool.find_prefix(&contents(1), 1).blocks, 1);
        assert_eq!(pool.find_prefix(&contents(2), 1).blocks, 0);
        pool.release(taken);
        pool.release(held);
    }

    #[test]
    fn the_least_recently_used_goes_first() {
        let mut pool = BlockPool::new(3, true);
        for seed in 0..3 {
            let block = pool.allocate().unwrap();
            let (block, _) = pool.register(block, Some(PrefixNode::ROOT), &contents(seed));
            pool.release(block);
        }
        let mut held = Vec::new();
        pool.take_prefix(&contents(0), 1, &mut held);
        pool.release(held.pop().unwrap());
        let fresh = pool.allocate().unwrap();
        let known = |seed| pool.find_prefix(&contents(seed), 1).blocks;
        assert_eq!((known(0), known(1), known(2)), (1, 0, 1));
        pool.release(fresh);
    }

    #[test]
    fn equal_contents_take_their_memory_once() {
        let mut pool = BlockPool::new(4, true);
        let first = pool.allocate().unwrap();
        let second = pool.allocate().unwrap();
        let (first, node) = pool.register(first, Some(PrefixNode::ROOT), &contents(7));
        let (second, same) = pool.register(second, Some(PrefixNode::ROOT), &contents(7));
        assert_eq!((first.id(), node), (second.id(), same));
        assert_eq!((pool.owned(), pool.free()), (1, 3));
        pool.release(first);
        pool.release(second);
    }

    #[test]
    fn a_reset_forgets_all_and_takes_nothing_from_its_holder() {
        let mut pool = BlockPool::new(2, true);
        let block = pool.allocate().unwrap();
        let (block, node) = pool.register(block, Some(PrefixNode::ROOT), &contents(1));
        pool.reset_prefix_cache();
        assert_eq!(pool.find_prefix(&contents(1), 1).blocks, 0);
        assert_eq!(pool.owned(), 1);
        let next = pool.allocate().unwrap();
        let (next, orphan) = pool.register(next, node, &contents(2));
        assert_eq!(
            orphan, None,
            "nothing can be found behind what was forgotten"
        );
        pool.release(next);
        pool.release(block);
        assert_eq!(pool.free(), 2);
    }
}
