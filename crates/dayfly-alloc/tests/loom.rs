//! Every interleaving of a few steps: no port lost, none doubled. Runs only under loom's model
//! checker: `RUSTFLAGS="--cfg loom" cargo test -p dayfly-alloc --test loom --release`.

#![cfg(loom)]

use dayfly_alloc::{Config, Key, ReleaseError, Sharded, SharedPool, Xoshiro};
use dayfly_ports::{Port, PortRange, Protocol};
use loom::sync::Arc;
use loom::thread;

fn range(low: u16, high: u16) -> PortRange {
    PortRange::new(low, high).unwrap()
}

fn key(remote: u8) -> Key {
    let (local, remote) = ([192, 0, 2, 1].into(), [198, 51, 100, remote].into());
    Key::new(Protocol::Tcp, local, remote, Port::new(443))
}

#[test]
fn two_threads_get_two_different_ports() {
    loom::model(|| {
        let pool = Arc::new(SharedPool::new(range(40000, 40001)));
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.allocate(&mut Xoshiro::seeded(1)))
        };
        let mine = pool.allocate(&mut Xoshiro::seeded(2)).unwrap();
        let theirs = other.join().unwrap().unwrap();
        assert_ne!(mine.port(), theirs.port());
        assert_eq!(pool.free(), 0);
    });
}

#[test]
fn the_last_port_goes_to_one_of_two() {
    loom::model(|| {
        let pool = Arc::new(SharedPool::new(range(40000, 40000)));
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.allocate(&mut Xoshiro::seeded(1)).is_some())
        };
        let mine = pool.allocate(&mut Xoshiro::seeded(1)).is_some();
        assert!(mine ^ other.join().unwrap(), "one gets it, and only one");
    });
}

#[test]
fn of_two_releases_one_succeeds() {
    loom::model(|| {
        let pool = Arc::new(SharedPool::new(range(40000, 40000)));
        let lent = pool.allocate(&mut Xoshiro::seeded(1)).unwrap();
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.release(lent))
        };
        let results = [pool.release(lent), other.join().unwrap()];
        assert!(results.contains(&Ok(())) && results.contains(&Err(ReleaseError::Stale)));
        assert_eq!(pool.free(), 1);
    });
}

#[test]
fn a_port_that_changes_hands_is_never_in_two() {
    loom::model(|| {
        let pool = Arc::new(SharedPool::new(range(40000, 40000)));
        let lent = pool.allocate(&mut Xoshiro::seeded(1)).unwrap();
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || pool.allocate(&mut Xoshiro::seeded(1)))
        };
        pool.release(lent).unwrap();
        let theirs = other.join().unwrap();
        // The first holder's receipt is worth nothing now, whether or not the port has moved on.
        assert_eq!(pool.release(lent), Err(ReleaseError::Stale));
        assert_eq!(pool.free(), u32::from(theirs.is_none()));
        if let Some(theirs) = theirs {
            pool.release(theirs).unwrap();
        }
        assert_eq!(pool.free(), 1);
    });
}

#[test]
fn shards_neither_lose_nor_double_a_port() {
    loom::model(|| {
        let front = Arc::new(Sharded::new(Config::new(range(40000, 40000)), 2, Xoshiro::seeded));
        let other = {
            let front = Arc::clone(&front);
            thread::spawn(move || {
                let lent = front.allocate(&key(1), 0).ok();
                lent.map(|lent| front.release(lent, 0))
            })
        };
        let mine = front.allocate(&key(1), 0).ok();
        let theirs = other.join().unwrap();
        assert!(mine.is_some() || theirs.is_some(), "somebody gets it");
        if let Some(mine) = mine {
            front.release(mine, 0).unwrap();
        }
        assert_eq!(front.free_count(&key(1), 0), 1);
    });
}
