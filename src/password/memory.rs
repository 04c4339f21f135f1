//! The memory that hashes are made in: kept from one to the next, and wiped in between when there is time.

use std::collections::TryReserveError;

use argon2::Block;
use zeroize::Zeroize as _;

use super::hash::HashParameters;

/// The memory of one thread's hashes, kept from one to the next: asking the system for 19 MiB anew each time makes
/// hashing take nearly twice as long.
///
/// What a hash leaves in it lets whoever reads it (a core dump, swap, a bug) test guesses at the price of one `BLAKE2b`
/// each: the passes can be undone down to the first block, which depends on nothing but the password and public values.
/// It is therefore wiped, but only when the thread has nothing to do: under load the next hash overwrites it anyway.
pub(super) struct Memory {
    blocks: Vec<Block>,
    dirty: usize,
    kept: usize,
}

impl Memory {
    /// Memory that keeps as much as hashes of these parameters need. None is taken before the first.
    pub(super) fn kept_for(parameters: HashParameters) -> Self {
        let kept = parameters.to_params().map_or(0, |params| params.block_count());
        Self {
            blocks: Vec::new(),
            dirty: 0,
            kept,
        }
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&mut [Block], TryReserveError> {
        if self.blocks.len() < count {
            self.wipe();
            // Without the old blocks, which growing in place would copy.
            self.blocks = Vec::new();
            self.blocks.try_reserve_exact(count)?;
            self.blocks.resize(count, Block::new());
        }
        self.dirty = self.dirty.max(count);
        Ok(&mut self.blocks[..count])
    }

    fn wipe(&mut self) {
        self.blocks[..self.dirty].iter_mut().zeroize();
        self.dirty = 0;
    }

    /// Wipes what the last hashes left, and gives back what only a larger imported one needed.
    pub(super) fn rest(&mut self) {
        self.wipe();
        self.blocks.truncate(self.kept);
        self.blocks.shrink_to_fit();
    }

    /// How many blocks, of 1 KiB each, hold what a hash left.
    #[cfg(test)]
    pub(super) const fn dirty(&self) -> usize {
        self.dirty
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::password::{Password, hash::Argon2Hash};

    #[test]
    fn memory_is_wiped_and_given_back_when_a_thread_rests() {
        let mut memory = Memory::kept_for(HashParameters {
            memory_kib: 8,
            passes: 1,
        });
        for count in [8, 64] {
            memory.take(count).unwrap().fill_with(|| {
                let mut block = Block::new();
                block.as_mut().fill(7);
                block
            });
        }
        memory.rest();
        assert_eq!((memory.blocks.len(), memory.dirty()), (8, 0));
        assert!(
            memory
                .blocks
                .iter()
                .all(|block| block.as_ref().iter().all(|word| *word == 0))
        );
    }

    #[test]
    fn a_smaller_hash_in_the_memory_of_a_larger_one_comes_out_the_same() {
        let parameters = HashParameters {
            memory_kib: 8,
            passes: 1,
        };
        let typed = Password::from("correct horse".to_owned());
        let hash = Argon2Hash::of(&typed, parameters, &mut Memory::kept_for(parameters)).unwrap();
        let mut memory = Memory::kept_for(parameters);
        Argon2Hash::of(
            &typed,
            HashParameters {
                memory_kib: 64,
                passes: 2,
            },
            &mut memory,
        )
        .unwrap();
        assert!(hash.matches(&typed, &mut memory).unwrap());
    }
}
