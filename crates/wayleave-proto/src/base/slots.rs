//! A table whose keys are never reused by mistake.

use core::fmt;
use core::marker::PhantomData;

/// A key of [`Slots`]: a place and how often it has been given out.
pub trait Key: Copy + Ord + fmt::Debug {
    /// Makes the key of place `index` in its `generation`.
    fn from_parts(index: u32, generation: u32) -> Self;
    /// The place.
    fn index(self) -> u32;
    /// How often the place was given out before.
    fn generation(self) -> u32;
}

/// Declares newtype keys of [`Slots`].
macro_rules! key {
    ($(#[$doc:meta])* $vis:vis $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        $vis struct $name { index: u32, generation: u32 }

        impl $crate::base::Key for $name {
            fn from_parts(index: u32, generation: u32) -> Self { Self { index, generation } }
            fn index(self) -> u32 { self.index }
            fn generation(self) -> u32 { self.generation }
        }

        #[allow(dead_code, reason = "a key that stays inside its machine needs no number")]
        impl $name {
            /// One number that is never given out twice in the life of a machine.
            $vis const fn as_u64(self) -> u64 { (self.generation as u64) << 32 | self.index as u64 }

            /// Takes back what [`Self::as_u64`] gave.
            $vis const fn from_u64(value: u64) -> Self {
                Self { index: value as u32, generation: (value >> 32) as u32 }
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(self, f)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                if self.generation == 0 {
                    write!(f, concat!($letter, "{}"), self.index)
                } else {
                    write!(f, concat!($letter, "{}.{}"), self.index, self.generation)
                }
            }
        }
    };
}
pub(crate) use key;

/// A table of `T` that gives out its own keys.
///
/// A key whose entry was removed finds nothing, for ever: the place is given out again with the next generation. Several
/// tables can share the keys of one kind, so that no two of them ever give out the same.
#[derive(Clone)]
pub struct Slots<K, T> {
    entries: Vec<Entry<T>>,
    /// The number of the first place, and from one place to the next.
    first: u32,
    step: u32,
    free: Vec<u32>,
    len: usize,
    key: PhantomData<K>,
}

#[derive(Clone)]
struct Entry<T> {
    generation: u32,
    value: Option<T>,
}

impl<K: Key, T> Slots<K, T> {
    /// An empty table; it allocates nothing.
    pub const fn new() -> Self {
        Self::one_of(0, 1)
    }

    /// The `nth` of `tables` that share their keys, counted from zero; it allocates nothing.
    pub const fn one_of(nth: u32, tables: u32) -> Self {
        let step = if tables == 0 { 1 } else { tables };
        Self { entries: Vec::new(), first: nth, step, free: Vec::new(), len: 0, key: PhantomData }
    }

    /// How many entries there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no entry.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Stores `value` and returns its key.
    pub fn insert(&mut self, value: T) -> K {
        self.insert_with(|_| value)
    }

    /// Stores what `make` makes of its own key, and returns that.
    pub fn insert_with(&mut self, make: impl FnOnce(K) -> T) -> K {
        self.len += 1;
        if let Some(index) = self.free.pop()
            && let Some(place) = self.place(index)
            && let Some(entry) = self.entries.get_mut(place)
        {
            let key = K::from_parts(index, entry.generation);
            entry.value = Some(make(key));
            return key;
        }
        let key = K::from_parts(self.index(self.entries.len()), 0);
        let value = Some(make(key));
        make_room(&mut self.entries, 1);
        self.entries.push(Entry { generation: 0, value });
        key
    }

    /// The entry of `key`.
    pub fn get(&self, key: K) -> Option<&T> {
        let entry = self.entries.get(self.place(key.index())?)?;
        if entry.generation == key.generation() { entry.value.as_ref() } else { None }
    }

    /// The entry of `key`, to change.
    pub fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let place = self.place(key.index())?;
        let entry = self.entries.get_mut(place)?;
        if entry.generation == key.generation() { entry.value.as_mut() } else { None }
    }

    /// Whether `key` has an entry.
    pub fn contains(&self, key: K) -> bool {
        self.get(key).is_some()
    }

    /// Removes the entry of `key`.
    pub fn remove(&mut self, key: K) -> Option<T> {
        let place = self.place(key.index())?;
        let entry = self.entries.get_mut(place)?;
        if entry.generation != key.generation() {
            return None;
        }
        let value = entry.value.take()?;
        entry.generation = entry.generation.wrapping_add(1);
        self.free.push(key.index());
        self.len -= 1;
        Some(value)
    }

    /// All entries, in the order of their places.
    pub fn iter(&self) -> impl Iterator<Item = (K, &T)> {
        self.entries.iter().enumerate().filter_map(|(place, entry)| {
            let key = K::from_parts(self.index(place), entry.generation);
            entry.value.as_ref().map(|value| (key, value))
        })
    }

    /// All keys, in the order of their places.
    pub fn keys(&self) -> Vec<K> {
        self.iter().map(|(key, _)| key).collect()
    }

    /// Which of the entries has that index; none where it is one of another table.
    const fn place(&self, index: u32) -> Option<usize> {
        if self.step == 1 {
            return Some(index as usize);
        }
        match index.checked_sub(self.first) {
            Some(offset) if offset % self.step == 0 => Some((offset / self.step) as usize),
            _ => None,
        }
    }

    fn index(&self, place: usize) -> u32 {
        u32::try_from(place).unwrap_or(u32::MAX).saturating_mul(self.step).saturating_add(self.first)
    }
}

impl<K: Key, T> Default for Slots<K, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Key, T: fmt::Debug> fmt::Debug for Slots<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Makes room for so many more. A table grows by an eighth and not by twice: its entries are large, and of ten thousand a third
/// would be empty.
fn make_room<T>(entries: &mut Vec<T>, more: usize) {
    if entries.capacity() - entries.len() < more {
        entries.reserve_exact(more.max(entries.len() / 8));
    }
}

/// What somebody else keeps for the keys of a [`Slots`], found without a search.
///
/// It grows with the highest place that was given out. An entry stays until it is removed or its place is used for
/// another key.
pub struct Beside<K, T> {
    entries: Vec<Option<(K, T)>>,
}

impl<K: Key, T> Beside<K, T> {
    /// An empty table; it allocates nothing.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Stores `value` for `key`, in the place of whatever was there.
    pub fn insert(&mut self, key: K, value: T) {
        let place = key.index() as usize;
        let places = place.saturating_add(1);
        if let Some(more) = places.checked_sub(self.entries.len()).filter(|more| *more > 0) {
            make_room(&mut self.entries, more);
            self.entries.resize_with(places, || None);
        }
        if let Some(entry) = self.entries.get_mut(place) {
            *entry = Some((key, value));
        }
    }

    /// The entry of `key`.
    pub fn get(&self, key: K) -> Option<&T> {
        let (of, value) = self.entries.get(key.index() as usize)?.as_ref()?;
        (*of == key).then_some(value)
    }

    /// Every entry, in the order of the places.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().flatten().map(|(_, value)| value)
    }

    /// Every entry, in the order of the places, to change.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.iter_mut().map(|(_, value)| value)
    }

    /// Every entry with its key, to change, in the order of the places.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (K, &mut T)> {
        self.entries.iter_mut().flatten().map(|(key, value)| (*key, value))
    }

    /// The entry of `key`, to change.
    pub fn get_mut(&mut self, key: K) -> Option<&mut T> {
        self.entry(key)?.as_mut().map(|(_, value)| value)
    }

    /// Removes the entry of `key`.
    pub fn remove(&mut self, key: K) -> Option<T> {
        self.entry(key)?.take().map(|(_, value)| value)
    }

    fn entry(&mut self, key: K) -> Option<&mut Option<(K, T)>> {
        let entry = self.entries.get_mut(key.index() as usize)?;
        entry.as_ref().is_some_and(|(of, _)| *of == key).then_some(entry)
    }
}

impl<K: Key, T> Default for Beside<K, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Key, T: fmt::Debug> fmt::Debug for Beside<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries.iter().flatten().map(|(key, value)| (key, value))).finish()
    }
}
