//! What a process costs, in a process of its own: in any other, tests beside it open and close files meanwhile.
#![cfg(target_os = "linux")]

use std::fs::File;

use psio_probe::OwnUsage;

#[test]
fn every_open_file_is_counted() {
    let before = OwnUsage::read().descriptors.unwrap();
    let files: Vec<_> = (0..50).map(|_| File::open("/proc/self/stat").unwrap()).collect();
    assert_eq!(OwnUsage::read().descriptors.unwrap(), before + files.len() as u64);
    drop(files);
    assert_eq!(OwnUsage::read().descriptors.unwrap(), before);
}
