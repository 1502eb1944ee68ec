//! Archives that are damaged, cut off or made up: refused, and nothing is changed.

use tar::EntryType;

use super::archives::{Entry, archive, entries};
use super::{answers, good_archive, names};
use crate::program::Program;

/// Restoring `bytes` is refused with `words`, and leaves the folder as it was.
fn refuse(what: &str, bytes: &[u8], words: &[&str]) {
    let program = Program::new();
    program.write("bad.tar.zst", bytes);
    let problem = program.refuse(&["restore", "bad.tar.zst"], 1, "bad-backup", words);
    assert_eq!(problem["field"], "file", "{what}");
    assert_eq!(names(program.folder()), ["bad.tar.zst"], "{what}");
}

#[test]
fn an_archive_that_was_cut_off_is_refused() {
    let good = good_archive();
    let n = good.len();
    for length in [1, 3, 100, n / 4, n / 2, n - 1_000, n - 4, n - 1] {
        refuse(&format!("{length} bytes of {n}"), &good[..length], &["cut off", "nothing was changed"]);
    }
    refuse("nothing", b"", &["it is empty"]);
}

/// A few bits of Zstandard's tables mean nothing, so a changed byte may leave the content as it was: then it must be
/// all there. Any other change is found.
#[test]
fn a_byte_that_was_altered_is_found() {
    let good = good_archive();
    let reference = Program::new();
    reference.write("a.tar.zst", good);
    reference.json(&["restore", "a.tar.zst"]);
    let expected = answers(&reference, "data");
    let n_places = 40;
    let mut n_refused = 0;
    for place in 0..n_places {
        let mut bytes = good.to_vec();
        bytes[good.len() * place / n_places] ^= 0x10;
        let program = Program::new();
        program.write("a.tar.zst", bytes);
        let run = program.run(&["--json", "restore", "a.tar.zst"]);
        if run.code == Some(0) {
            assert_eq!(answers(&program, "data"), expected, "byte at {place} of {n_places} parts");
        } else {
            assert_eq!(run.code, Some(1), "{run:?}");
            assert_eq!(run.problem()["code"], "bad-backup", "{run:?}");
            assert_eq!(names(program.folder()), ["a.tar.zst"]);
            n_refused += 1;
        }
    }
    assert!(n_refused >= n_places - 4, "only {n_refused} of {n_places} were found");
}

/// The good archive, altered and packed again, so that Zstandard finds nothing wrong.
fn altered(change: impl FnOnce(&mut Vec<Entry>)) -> Vec<u8> {
    let mut members = entries(good_archive());
    change(&mut members);
    archive(&members)
}

/// Before the manifest.
fn insert(members: &mut Vec<Entry>, entry: Entry) {
    let at = members.len() - 1;
    members.insert(at, entry);
}

#[test]
fn packing_again_alters_nothing() {
    let program = Program::new();
    program.write("same.tar.zst", altered(|_| {}));
    program.json(&["restore", "same.tar.zst"]);
}

#[test]
fn a_member_that_was_altered_is_named() {
    for part in ["candles/", "models/", "database/", "candlecast-backup.json"] {
        let bytes = altered(|members| {
            let member = members.iter_mut().find(|member| member.name.starts_with(part)).unwrap();
            let last = member.content.len() - 1;
            member.content[last] ^= 1;
        });
        let program = Program::new();
        program.write("bad.tar.zst", bytes);
        let problem = program.refuse(&["restore", "bad.tar.zst"], 1, "bad-backup", &[part]);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains("SHA-256") || part == "candlecast-backup.json", "{detail}");
        assert_eq!(names(program.folder()), ["bad.tar.zst"]);
    }
}

#[test]
fn members_that_lead_elsewhere_are_refused() {
    let evil = |name: &str| altered(|members| insert(members, Entry::file(name, b"evil")));
    let outside = ["../evil", "models/../../evil", "/tmp/candlecast-evil", "models//tmp/evil", "models/.lock", "evil"];
    for name in outside {
        refuse(name, &evil(name), &["is no name that a backup has"]);
    }
    assert!(!std::path::Path::new("/tmp/candlecast-evil").exists());
    for kind in [EntryType::Symlink, EntryType::Link, EntryType::Directory, EntryType::Char, EntryType::GNUSparse] {
        let bytes = altered(|members| insert(members, Entry { kind, ..Entry::file("models/link", b"") }));
        refuse(&format!("{kind:?}"), &bytes, &["models/link", "only files are restored"]);
    }
    let long_name = Entry { kind: EntryType::GNULongName, ..Entry::file("models/x", b"models/a-long-name") };
    refuse("a long name", &altered(|members| insert(members, long_name)), &["only files are restored"]);
}

#[test]
fn members_that_the_manifest_does_not_list_are_refused() {
    let more = altered(|members| insert(members, Entry::file("models/more.json", b"{}")));
    refuse("one more", &more, &["manifest"]);
    let fewer = altered(|members| drop(members.remove(members.len() - 2)));
    refuse("one missing", &fewer, &["manifest"]);
    let swapped = altered(|members| {
        let last = members.len() - 2;
        members.swap(last, last - 1);
    });
    refuse("two changed places", &swapped, &["manifest"]);
    let twice = altered(|members| {
        let again = members[1].clone();
        insert(members, again);
    });
    refuse("one twice", &twice, &["twice"]);
    let behind = altered(|members| members.push(Entry::file("models/behind.json", b"{}")));
    refuse("one behind the manifest", &behind, &["models/behind.json", "manifest"]);
    let without = altered(|members| drop(members.pop()));
    refuse("no manifest", &without, &["without a manifest"]);
}

#[test]
fn what_is_no_backup_is_refused() {
    let headless = altered(|members| drop(members.remove(0)));
    refuse("no header", &headless, &["no backup of candlecast"]);
    let newer = altered(|members| {
        let header = String::from_utf8(members[0].content.clone()).unwrap();
        members[0].content = header.replace("\"format\": 1", "\"format\": 2").into_bytes();
    });
    refuse("a newer format", &newer, &["format 2", "newer program"]);
    refuse("a text", b"this is no archive at all, but it is long enough to be looked at", &["damaged"]);
}

#[test]
fn an_archive_that_unpacks_to_far_too_much_is_refused() {
    let zeros = vec![0; 100 << 20];
    let bomb = altered(|members| insert(members, Entry::file("models/zeros.json", &zeros)));
    assert!(bomb.len() < 2 * good_archive().len(), "{} bytes", bomb.len());
    refuse("a bomb", &bomb, &["unpacks to more than"]);
}
