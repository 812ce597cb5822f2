//! Requests as the scheduler keeps them.

use crate::block_pool::{BlockPool, KvBlock};
use crate::prefix_cache::PrefixNode;
use crate::slab::Slab;
use crate::{BLOCK_TOKENS, BlockId, RequestId, SamplingParams, TokenId};
use std::sync::Arc;
use trace::Nanos;

/// No slot: the end of a list.
pub(crate) const NO_SLOT: u32 = u32::MAX;

/// What all choices of a request have in common.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) params: SamplingParams,
    /// Tokens that end a sequence: the stop tokens, and the end tokens unless they are ignored.
    pub(crate) stops: Vec<TokenId>,
    pub(crate) prompt_tokens: usize,
    /// Prompt and answer together, at most.
    pub(crate) tokens_max: usize,
    pub(crate) submitted: Nanos,
}

/// The blocks of a sequence; entry `i` holds positions `16·i` to `16·i + 15`.
#[derive(Debug, Default)]
pub(crate) struct BlockTable {
    pub(crate) blocks: Vec<KvBlock>,
}

impl BlockTable {
    /// Whether positions before `end` have a place.
    #[inline]
    pub(crate) fn covers(&self, end: usize) -> bool {
        self.blocks.len() * BLOCK_TOKENS >= end
    }

    /// The ids of the blocks of all positions before `end`.
    #[inline]
    pub(crate) fn ids(&self, end: usize) -> impl ExactSizeIterator<Item = BlockId> {
        self.blocks[..end.div_ceil(BLOCK_TOKENS)]
            .iter()
            .map(KvBlock::id)
    }

    /// The last block goes first: of what stays cached, a prefix outlives what follows it.
    pub(crate) fn release(&mut self, pool: &mut BlockPool) {
        while let Some(block) = self.blocks.pop() {
            pool.release(block);
        }
    }

    pub(crate) fn share(&self, pool: &mut BlockPool) -> BlockTable {
        BlockTable {
            blocks: self.blocks.iter().map(|block| pool.share(block)).collect(),
        }
    }
}

/// Where a sequence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Waiting,
    Running,
}

/// One choice of a request; before the prompt is computed, all of its choices.
#[derive(Debug)]
pub(crate) struct Sequence {
    /// Neighbours in the list that it is in.
    pub(crate) previous: u32,
    pub(crate) next: u32,
    pub(crate) state: State,
    pub(crate) request: RequestId,
    /// Which choice it is; the first of those it stands for.
    pub(crate) choice: u32,
    /// How many choices it stands for.
    pub(crate) choices: u32,
    /// Prompt and answer.
    pub(crate) tokens: Vec<TokenId>,
    /// Tokens whose keys and values are in its blocks.
    pub(crate) computed: usize,
    pub(crate) table: BlockTable,
    /// The last block is partly filled, and others may hold it: it is copied before it is written.
    pub(crate) tail_shared: bool,
    /// Full blocks that were offered to the prefix cache.
    pub(crate) registered: usize,
    /// The node of the last of them; `None` where the cache has forgotten it.
    pub(crate) node: Option<PrefixNode>,
    /// Prompt tokens from the prefix cache when the request was first admitted; `None` before.
    pub(crate) cached_tokens: Option<usize>,
    pub(crate) common: Arc<Common>,
}

impl Sequence {
    pub(crate) fn new(request: RequestId, prompt: Vec<TokenId>, common: Common) -> Self {
        Sequence {
            previous: NO_SLOT,
            next: NO_SLOT,
            state: State::Waiting,
            request,
            choice: 0,
            choices: u32::try_from(common.params.n).unwrap_or(u32::MAX),
            tokens: prompt,
            computed: 0,
            table: BlockTable::default(),
            tail_shared: false,
            registered: 0,
            node: Some(PrefixNode::ROOT),
            cached_tokens: None,
            common: Arc::new(common),
        }
    }

    /// The same sequence as another choice; both hold all blocks.
    pub(crate) fn fork(&self, choice: u32, pool: &mut BlockPool) -> Sequence {
        let mut tokens = Vec::with_capacity(self.tokens.len() + 1);
        tokens.extend_from_slice(&self.tokens);
        Sequence {
            previous: NO_SLOT,
            next: NO_SLOT,
            state: State::Running,
            request: self.request,
            choice,
            choices: 1,
            tokens,
            computed: self.computed,
            table: self.table.share(pool),
            tail_shared: self.tail_shared,
            registered: self.registered,
            node: self.node,
            cached_tokens: self.cached_tokens,
            common: Arc::clone(&self.common),
        }
    }

    /// Gives its blocks back; everything is to be computed again.
    pub(crate) fn release(&mut self, pool: &mut BlockPool) {
        self.table.release(pool);
        self.computed = 0;
        self.tail_shared = false;
        self.registered = 0;
        self.node = Some(PrefixNode::ROOT);
    }

    /// Offers the blocks that have become full to the prefix cache. Call it when their contents are computed.
    #[inline]
    pub(crate) fn register_full_blocks(&mut self, pool: &mut BlockPool) {
        while self.node.is_some() && (self.registered + 1) * BLOCK_TOKENS <= self.computed {
            self.register_block(pool);
        }
    }

    fn register_block(&mut self, pool: &mut BlockPool) {
        let tokens = &self.tokens.as_chunks().0[self.registered];
        // The handle leaves the table while the pool looks at it, and the pool may give another one back.
        let block = self.table.blocks.swap_remove(self.registered);
        let (block, node) = pool.register(block, self.node, tokens);
        self.table.blocks.push(block);
        let last = self.table.blocks.len() - 1;
        self.table.blocks.swap(self.registered, last);
        self.registered += 1;
        self.node = node;
    }

    pub(crate) fn generated(&self) -> &[TokenId] {
        &self.tokens[self.common.prompt_tokens..]
    }
}

/// A doubly linked list through the sequences of a slab: O(1) at both ends and in the middle.
#[derive(Debug)]
pub(crate) struct SlotList {
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) length: usize,
}

impl SlotList {
    pub(crate) fn new() -> Self {
        SlotList {
            first: NO_SLOT,
            last: NO_SLOT,
            length: 0,
        }
    }

    pub(crate) fn push_front(&mut self, sequences: &mut Slab<Sequence>, slot: u32) {
        self.insert(sequences, slot, NO_SLOT, self.first);
    }

    pub(crate) fn push_back(&mut self, sequences: &mut Slab<Sequence>, slot: u32) {
        self.insert(sequences, slot, self.last, NO_SLOT);
    }

    pub(crate) fn insert_after(
        &mut self,
        sequences: &mut Slab<Sequence>,
        slot: u32,
        previous: u32,
    ) {
        let next = sequences[previous].next;
        self.insert(sequences, slot, previous, next);
    }

    fn insert(&mut self, sequences: &mut Slab<Sequence>, slot: u32, previous: u32, next: u32) {
        sequences[slot].previous = previous;
        sequences[slot].next = next;
        match previous {
            NO_SLOT => self.first = slot,
            previous => sequences[previous].next = slot,
        }
        match next {
            NO_SLOT => self.last = slot,
            next => sequences[next].previous = slot,
        }
        self.length += 1;
    }

    pub(crate) fn remove(&mut self, sequences: &mut Slab<Sequence>, slot: u32) {
        let Sequence { previous, next, .. } = sequences[slot];
        match previous {
            NO_SLOT => self.first = next,
            previous => sequences[previous].next = next,
        }
        match next {
            NO_SLOT => self.last = previous,
            next => sequences[next].previous = previous,
        }
        self.length -= 1;
    }
}
