//! Events from the kernel: the reader of a BPF ring buffer (`Documentation/bpf/ringbuf.rst`).
//!
//! Two positions that only grow, each on a page of its own, and the data twice in a row, so that no
//! record is ever split.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use crate::event::RECORD;

const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;
/// A record's length comes before it.
const HEAD: usize = 8;

/// The reading end of a ring buffer.
#[derive(Debug)]
pub(crate) struct Ring {
    map: OwnedFd,
    /// The reader's position, on a page that may be written.
    consumer: NonNull<u8>,
    /// The writer's position, then the data twice.
    producer: NonNull<u8>,
    page: usize,
    size: usize,
}

#[expect(unsafe_code, reason = "the mappings are this value's own")]
// SAFETY: the mappings belong to this value alone; the kernel's side is reached atomically.
unsafe impl Send for Ring {}

impl Ring {
    /// Maps a ring buffer of so many bytes.
    #[expect(unsafe_code, reason = "mmap(2)")]
    pub(crate) fn open(map: OwnedFd, size: usize) -> io::Result<Ring> {
        // SAFETY: it takes a number.
        let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as usize;
        let at = |length, protection, offset: usize| {
            // SAFETY: a new mapping, of a length and at an offset that the map has.
            let address = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    length,
                    protection,
                    libc::MAP_SHARED,
                    map.as_raw_fd(),
                    offset as libc::off_t,
                )
            };
            if address == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
            NonNull::new(address.cast()).ok_or_else(|| io::Error::other("mapped at zero"))
        };
        let consumer = at(page, libc::PROT_READ | libc::PROT_WRITE, 0)?;
        let producer = match at(page + 2 * size, libc::PROT_READ, page) {
            Ok(producer) => producer,
            Err(error) => {
                unmap(consumer, page);
                return Err(error);
            }
        };
        Ok(Ring { map, consumer, producer, page, size })
    }

    /// The next record, if there is one. Records of another length are passed over.
    #[expect(unsafe_code, reason = "memory that the kernel writes")]
    pub(crate) fn read(&self) -> Option<[u8; RECORD]> {
        // SAFETY: both positions are aligned 64-bit numbers at the start of mapped pages, and stay
        // mapped as long as this value lives.
        let (consumer, producer) = unsafe {
            (
                AtomicU64::from_ptr(self.consumer.as_ptr().cast()),
                AtomicU64::from_ptr(self.producer.as_ptr().cast()),
            )
        };
        loop {
            let position = consumer.load(Ordering::Relaxed);
            if position >= producer.load(Ordering::Acquire) {
                return None;
            }
            let offset = self.page + (position as usize & (self.size - 1));
            // SAFETY: positions are multiples of eight; the data is mapped twice in a row, so that
            // a record that begins in the first copy ends in the second at the latest.
            let head = unsafe { AtomicU32::from_ptr(self.producer.as_ptr().add(offset).cast()) }
                .load(Ordering::Acquire);
            if head & BUSY != 0 {
                return None;
            }
            let length = (head & !DISCARDED) as usize;
            let mut record = [0; RECORD];
            let whole = head & DISCARDED == 0 && length == RECORD;
            if whole {
                // SAFETY: as above; the record is complete, and the kernel does not touch it again
                // before the consumer's position has passed it.
                unsafe {
                    let data = self.producer.as_ptr().add(offset + HEAD);
                    std::ptr::copy_nonoverlapping(data, record.as_mut_ptr(), RECORD);
                }
            }
            let next = position + (length + HEAD).next_multiple_of(8) as u64;
            consumer.store(next, Ordering::Release);
            if whole {
                return Some(record);
            }
        }
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.map.as_fd()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        unmap(self.consumer, self.page);
        unmap(self.producer, self.page + 2 * self.size);
    }
}

#[expect(unsafe_code, reason = "munmap(2)")]
fn unmap(address: NonNull<u8>, length: usize) {
    // SAFETY: a mapping of this length was made at this address, and nothing refers to it any more.
    unsafe {
        libc::munmap(address.as_ptr().cast(), length);
    }
}
