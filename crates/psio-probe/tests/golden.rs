//! What the parsers make of the kernel's files, and of everything else.

use psio_api::data::cpu::CpuCounters;
use psio_api::data::process::ProcessStatus;
use psio_probe::parse::meminfo::MemInfo;
use psio_probe::parse::{
    ParseError, cgroup, cmdline, cpuinfo, loadavg, meminfo, os_release, passwd, pid_stat, pid_statm, pid_status,
    proc_stat, vmstat, zoneinfo,
};

const PID_STAT: &[u8] = include_bytes!("fixtures/pid_stat");
const PID_STATUS: &[u8] = include_bytes!("fixtures/pid_status");
const STAT: &[u8] = include_bytes!("fixtures/stat");
const MEMINFO: &[u8] = include_bytes!("fixtures/meminfo");
const VMSTAT: &[u8] = include_bytes!("fixtures/vmstat");
const CPUINFO: &[u8] = include_bytes!("fixtures/cpuinfo");
const ZONEINFO: &[u8] = include_bytes!("fixtures/zoneinfo");
const OS_RELEASE: &[u8] = include_bytes!("fixtures/os-release");

/// The fixture with another name in it.
fn stat_named(comm: &[u8]) -> Vec<u8> {
    let rest = PID_STAT.strip_prefix(b"1200 (a) R 1 (b)").expect("the fixture's name");
    [b"1200 (", comm, b")", rest].concat()
}

#[test]
fn stat_fields_are_the_documented_ones() {
    let stat = pid_stat::parse(PID_STAT).unwrap();
    assert_eq!(stat.status(), ProcessStatus::Sleeping);
    assert_eq!((stat.ppid, stat.tty_nr, stat.flags), (1, 34819, 4_194_304));
    assert_eq!((stat.utime_ticks, stat.stime_ticks), (12, 34));
    assert_eq!((stat.nice, stat.num_threads, stat.started_ticks), (-5, 3, 1_763_800));
    assert_eq!((stat.start_stack, stat.processor), (140_725_000_000_000, 1));
    assert!(!stat.is_kernel_thread());
}

#[test]
fn comm_may_contain_a_closing_parenthesis() {
    assert_eq!(pid_stat::parse(PID_STAT).unwrap().comm, b"a) R 1 (b");
}

#[test]
fn comm_may_be_any_bytes() {
    for comm in [&b""[..], b")", b"((", b"new\nline", b"\xff\xfe", b" ", b"1 2 3", &[b'x'; 500]] {
        let line = stat_named(comm);
        let stat = pid_stat::parse(&line).unwrap();
        assert_eq!((stat.comm, stat.started_ticks), (comm, 1_763_800));
    }
}

#[test]
fn every_state_has_its_word() {
    let states = [
        ("R", "running"),
        ("S", "sleeping"),
        ("D", "disk-sleep"),
        ("T", "stopped"),
        ("t", "tracing-stop"),
        ("Z", "zombie"),
        ("X", "dead"),
        ("x", "dead"),
        ("K", "wake-kill"),
        ("W", "waking"),
        ("I", "idle"),
        ("P", "parked"),
        ("?", "unknown"),
    ];
    for (letter, word) in states {
        let line = String::from_utf8_lossy(PID_STAT).replace(") S ", &format!(") {letter} "));
        assert_eq!(pid_stat::parse(line.as_bytes()).unwrap().status().as_str(), word);
    }
}

#[test]
fn stat_that_lacks_fields_is_an_error() {
    assert_eq!(pid_stat::parse(b""), Err(ParseError("an opening parenthesis")));
    assert_eq!(pid_stat::parse(b"1 (a"), Err(ParseError("a closing parenthesis")));
    assert!(pid_stat::parse(b")1 (").is_err());
    assert_eq!(pid_stat::parse(b"1 (a) S 1 2 3"), Err(ParseError("another field")));
    assert!(pid_stat::parse(b"1 (a) Sleeping 1 2 3").is_err());
}

#[test]
fn numbers_too_large_are_an_error() {
    let line = String::from_utf8_lossy(PID_STAT).replace("1763800", "99999999999999999999999");
    assert_eq!(pid_stat::parse(line.as_bytes()), Err(ParseError("a number of 64 bits")));
}

#[test]
fn nothing_panics_wherever_a_file_ends() {
    let passwd = b"root:x:0:0:root:/root:/bin/bash\n";
    let load = b"0.20 0.17 0.09 1/87 13408\n";
    let files: [&[u8]; 10] = [PID_STAT, PID_STATUS, STAT, MEMINFO, VMSTAT, CPUINFO, ZONEINFO, OS_RELEASE, passwd, load];
    for file in files {
        for end in (0..=file.len()).step_by(1 + file.len() / 2000) {
            everything(&file[..end]);
            let mut broken = file[..end].to_vec();
            if let Some(last) = broken.last_mut() {
                *last = 0xff;
            }
            everything(&broken);
        }
    }
}

/// Every parser on the same text.
fn everything(text: &[u8]) {
    let _ = pid_stat::parse(text);
    let _ = pid_statm::parse(text);
    let _ = pid_status::real_uid(text);
    let _ = pid_status::context_switches(text);
    let _ = proc_stat::cpus(text, &mut Vec::new());
    let _ = proc_stat::boot_time(text);
    let _ = meminfo::parse(text).map(|info| (info.wired(), info.available(|| Some(u64::MAX))));
    let _ = loadavg::parse(text);
    let _ = vmstat::swapped(text);
    let _ = zoneinfo::low_watermark_pages(text);
    let _ = cpuinfo::first_value(text, b"model name");
    let _ = os_release::pretty_name(text);
    let _ = passwd::users(text).count();
    let _ = cgroup::unified(text);
    let _ = cmdline::arguments(text);
    let _ = cmdline::full_name(text, text);
}

#[test]
fn statm_is_size_and_resident() {
    let statm = pid_statm::parse(b"1100 420 300 5 0 90 0\n").unwrap();
    assert_eq!((statm.size_pages, statm.resident_pages), (1100, 420));
}

#[test]
fn status_tells_the_real_user_and_not_the_effective_one() {
    assert_eq!(pid_status::real_uid(b"Name:\tx\nUid:\t1000\t0\t0\t0\nGid:\t5\t5\t5\t5\n"), Ok(1000));
    assert_eq!(pid_status::real_uid(PID_STATUS), Ok(0));
    assert!(pid_status::context_switches(PID_STATUS).is_ok());
}

#[test]
fn cpu_lines_are_read_and_their_sum_is_not() {
    let mut cpus = Vec::new();
    proc_stat::cpus(b"cpu  9 9 9 9\ncpu0 1 2 3 4 5 6 7 8 9 10\ncpu3 1 2 3 4\nintr 5\n", &mut cpus).unwrap();
    let first = CpuCounters {
        num: 0,
        user_ticks: 1,
        nice_ticks: 2,
        system_ticks: 3,
        idle_ticks: 4,
        iowait_ticks: 5,
        irq_ticks: 6,
        softirq_ticks: 7,
        steal_ticks: 8,
    };
    assert_eq!(cpus[0], first);
    assert_eq!((cpus[1].num, cpus[1].idle_ticks, cpus[1].steal_ticks), (3, 4, 0));
    assert_eq!(cpus.len(), 2);
}

#[test]
fn boot_time_is_found_behind_the_long_lines() {
    let intr = "intr ".to_owned() + &"0 ".repeat(100_000);
    let text = format!("cpu0 1 2 3 4\n{intr}\nctxt 1\nbtime 1795357744\n");
    assert_eq!(proc_stat::boot_time(text.as_bytes()), Ok(1_795_357_744));
    assert!(proc_stat::boot_time(STAT).is_ok());
}

#[test]
fn a_machine_without_cpu_lines_is_an_error() {
    assert!(proc_stat::cpus(b"intr 5\n", &mut Vec::new()).is_err());
    assert!(proc_stat::cpus(b"", &mut Vec::new()).is_err());
}

#[test]
fn wired_is_what_can_neither_be_reclaimed_nor_swapped() {
    let info = meminfo::parse(
        b"MemTotal: 1000 kB\nUnevictable: 1 kB\nSUnreclaim: 2 kB\nKernelStack: 4 kB\nPageTables: 8 kB\nPercpu: 16 kB\n",
    );
    assert_eq!(info.unwrap().wired(), Some(31 * 1024));
    assert!(meminfo::parse(MEMINFO).unwrap().wired().is_some());
    assert_eq!(meminfo::parse(b"MemTotal: 1 kB\n").unwrap().wired(), None);
}

#[test]
fn memory_without_a_total_is_an_error() {
    assert_eq!(meminfo::parse(b"MemFree: 1 kB\n"), Err(ParseError("a line MemTotal:")));
    assert!(meminfo::parse(b"MemTotal: lots\n").is_err());
}

#[test]
fn available_is_estimated_as_free_does_where_the_kernel_does_not_tell() {
    let info = MemInfo {
        mem_total: 10_000,
        mem_free: Some(1000),
        active_file: Some(300),
        inactive_file: Some(200),
        s_reclaimable: Some(100),
        ..MemInfo::default()
    };
    assert_eq!(info.available(|| Some(60)), Some(1000 - 60 + (500 - 60) + (100 - 50)));
    let zero = MemInfo { mem_available: Some(0), ..info };
    assert_eq!(zero.available(|| Some(60)), info.available(|| Some(60)));
    let no_zones = MemInfo { cached: Some(7), ..info };
    assert_eq!(no_zones.available(|| None), Some(1007));
}

#[test]
fn available_beyond_the_total_is_what_is_free() {
    let info = MemInfo { mem_total: 10, mem_free: Some(4), mem_available: Some(11), ..MemInfo::default() };
    assert_eq!(info.available(|| None), Some(4));
}

#[test]
fn swapping_is_counted_in_pages() {
    let swapped = vmstat::swapped(b"nr_free_pages 1\npswpin 12\npswpout 34\nfoo 1\n");
    assert_eq!((swapped.in_pages, swapped.out_pages), (Some(12), Some(34)));
    assert_eq!(vmstat::swapped(b"").in_pages, None);
}

#[test]
fn load_has_averages_and_threads() {
    let load = loadavg::parse(b"0.20 0.17 0.09 1/87 13408\n").unwrap();
    assert_eq!(load.averages, [0.20, 0.17, 0.09]);
    assert_eq!((load.threads_running, load.threads_total), (1, 87));
    assert!(loadavg::parse(b"nan 0 0 1/2").is_err());
}

#[test]
fn watermarks_are_summed_over_zones() {
    assert_eq!(zoneinfo::low_watermark_pages(b"  low 3\n  high 9\n        low      4\n"), 7);
    assert!(zoneinfo::low_watermark_pages(ZONEINFO) > 0);
}

#[test]
fn the_unified_cgroup_is_the_one_without_controllers() {
    let both = include_bytes!("fixtures/cgroup_v1_with_v2");
    assert_eq!(cgroup::unified(both), Some(&b"/"[..]));
    assert_eq!(cgroup::unified(include_bytes!("fixtures/cgroup_v1")), None);
}

#[test]
fn cpu_and_system_have_names() {
    assert_eq!(cpuinfo::first_value(CPUINFO, b"model name"), Some(&b"AMD EPYC"[..]));
    assert_eq!(os_release::pretty_name(OS_RELEASE).unwrap(), "Debian GNU/Linux 12 (bookworm)".into());
    assert_eq!(os_release::pretty_name(b"PRETTY_NAME=Arch\n").unwrap(), "Arch".into());
    assert_eq!(os_release::pretty_name(b"PRETTY_NAME=\"\"\n"), None);
}

#[test]
fn users_are_name_and_third_column() {
    let users: Vec<_> = passwd::users(b"root:x:0:0\n:x:1:1\nbad\nada:x:x:1\neve:x:7:7:::\n").collect();
    assert_eq!(users, [(0, &b"root"[..]), (7, b"eve")]);
}

fn split(raw: &[u8]) -> Vec<String> {
    cmdline::arguments(raw).iter().map(ToString::to_string).collect()
}

#[test]
fn arguments_end_with_nuls() {
    assert_eq!(split(b"ls\0-l\0a b\0"), ["ls", "-l", "a b"]);
    assert_eq!(split(b"ls\0\0x\0"), ["ls", "", "x"]);
    assert!(split(b"").is_empty());
    assert_eq!(split(b"\0"), [""]);
}

#[test]
fn a_title_that_a_process_gave_itself_is_split_at_spaces() {
    assert_eq!(split(b"nginx: worker process"), ["nginx:", "worker", "process"]);
    assert_eq!(split(b"sshd: root@pts/0\0"), ["sshd:", "root@pts/0"]);
}

#[test]
fn arguments_that_are_not_text_stay_visible() {
    assert_eq!(split(b"a\xff\0"), ["a\u{fffd}"]);
}

#[test]
fn a_name_of_fifteen_bytes_is_completed_from_the_command_line() {
    let full = |comm: &[u8], raw: &[u8]| cmdline::full_name(comm, raw).to_string();
    assert_eq!(full(b"gnome-keyring-d", b"/usr/bin/gnome-keyring-daemon\0-x\0"), "gnome-keyring-daemon");
    assert_eq!(full(b"gnome-keyring-d", b"/usr/bin/other\0"), "gnome-keyring-d");
    assert_eq!(full(b"gnome-keyring-d", b""), "gnome-keyring-d");
    assert_eq!(full(b"short", b"shorter\0"), "short");
    // Cut in the middle of a letter.
    assert_eq!(full("ééééééé\u{e9}".as_bytes()[..15].as_ref(), "éééééééé\0".as_bytes()), "éééééééé");
}
