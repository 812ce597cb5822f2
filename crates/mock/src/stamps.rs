//! When bytes arrived.

use crate::clock;
use nix::errno::Errno;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, TimestampingFlag, recvmsg, setsockopt, sockopt,
};
use nix::sys::time::TimeSpec;
use std::io::IoSliceMut;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;

/// When bytes arrived, in nanoseconds of `CLOCK_MONOTONIC`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Arrival {
    /// The kernel's stamp of the last of them; that of `user` where it gave none.
    pub(crate) kernel: u64,
    /// Just after they were read.
    pub(crate) user: u64,
}

/// Reads sockets, with the kernel's receive stamps.
pub(crate) struct StampedReader {
    control: Vec<u8>,
    /// Nothing arrived before.
    started: u64,
}

impl StampedReader {
    /// Asks for stamps on every connection that `listener` will accept: they inherit the option.
    /// Where no other socket of the machine wants stamps, the kernel begins a few milliseconds
    /// later to give them.
    pub(crate) fn new(listener: &TcpListener) -> Self {
        let software = TimestampingFlag::SOF_TIMESTAMPING_RX_SOFTWARE
            | TimestampingFlag::SOF_TIMESTAMPING_SOFTWARE;
        let started = clock::monotonic();
        // A kernel that gives no stamps is lived with: the user-space stamp stands in.
        let _unsupported = setsockopt(listener, sockopt::Timestamping, &software);
        // SCM_TIMESTAMPING: software, legacy and hardware time.
        Self {
            control: nix::cmsg_space!([TimeSpec; 3]),
            started,
        }
    }

    /// One read without blocking.
    pub(crate) fn read(
        &mut self,
        socket: &TcpStream,
        into: &mut [u8],
    ) -> Result<(usize, Arrival), Errno> {
        let mut slices = [IoSliceMut::new(into)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = recvmsg::<()>(
            socket.as_raw_fd(),
            &mut slices,
            Some(&mut self.control),
            flags,
        )?;
        let user = clock::monotonic();
        let realtime = clock::realtime();
        let stamp = message
            .cmsgs()
            .ok()
            .into_iter()
            .flatten()
            .find_map(|control| match control {
                ControlMessageOwned::ScmTimestampsns(stamps) => Some(stamps.system),
                _ => None,
            });
        let kernel = stamp
            .map(|time| clock::from_parts(time.tv_sec(), time.tv_nsec()))
            .and_then(|stamp| clock::map_stamp(stamp, realtime, user, self.started));
        Ok((
            message.bytes,
            Arrival {
                kernel: kernel.unwrap_or(user),
                user,
            },
        ))
    }
}
