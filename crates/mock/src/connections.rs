//! The open connections, each under its key.

use crate::connection::Connection;

/// The open connections, each under a key that is never given to another one.
#[derive(Default)]
pub(crate) struct Connections {
    slots: Vec<Slot>,
    free: Vec<u32>,
    open: usize,
}

#[derive(Default)]
struct Slot {
    generation: u32,
    connection: Option<Connection>,
}

impl Connections {
    /// The key is below `2^63`: 31 bits of generation, 32 of position.
    pub(crate) fn insert(&mut self, connection: Connection) -> u64 {
        let position = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1)
                .expect("a process has fewer than 2^32 file descriptors")
        });
        let slot = &mut self.slots[position as usize];
        slot.connection = Some(connection);
        self.open += 1;
        u64::from(slot.generation) << 32 | u64::from(position)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.open
    }

    /// None where the connection was removed since.
    pub(crate) fn get(&mut self, key: u64) -> Option<&mut Connection> {
        self.slot(key)?.connection.as_mut()
    }

    pub(crate) fn remove(&mut self, key: u64) -> Option<Connection> {
        let slot = self.slot(key)?;
        let connection = slot.connection.take()?;
        slot.generation = (slot.generation + 1) & (u32::MAX >> 1);
        self.free.push(position(key));
        self.open -= 1;
        Some(connection)
    }

    /// Takes all of them out.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Connection> {
        self.free.clear();
        self.slots.drain(..).filter_map(|slot| slot.connection)
    }

    fn slot(&mut self, key: u64) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(position(key) as usize)?;
        (u64::from(slot.generation) == key >> 32).then_some(slot)
    }
}

fn position(key: u64) -> u32 {
    u32::try_from(key & u64::from(u32::MAX)).expect("the mask leaves 32 bits")
}
