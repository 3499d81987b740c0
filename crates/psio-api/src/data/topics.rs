//! The parts of a machine that are sampled separately, each only as often as somebody needs it.

use std::ops::BitOr;

/// A set of topics. A command names the ones it needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Topics(u8);

impl Topics {
    /// Nothing is read.
    pub const NONE: Self = Self(0);
    /// Time counters of every CPU.
    pub const CPU: Self = Self(1);
    /// Physical memory and swap.
    pub const MEMORY: Self = Self(1 << 1);
    /// Every process.
    pub const PROCESSES: Self = Self(1 << 2);
    /// Name, kernel, load and the like.
    pub const HOST: Self = Self(1 << 3);
    /// psiod's own figures.
    pub const DAEMON: Self = Self(1 << 4);

    /// How many topics there are.
    pub const COUNT: usize = 5;

    /// Every topic once, in a fixed order.
    pub fn each() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(|bit| Self(1 << bit))
    }

    /// Whether every topic of `other` is in this set.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the set is empty.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The topics of this set that are not in `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The topics of this set whose figures are rates, so that they need two samples.
    #[must_use]
    pub fn with_rates(self) -> Self {
        Self(self.0 & (Self::CPU | Self::PROCESSES | Self::DAEMON).0)
    }
}

impl BitOr for Topics {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
