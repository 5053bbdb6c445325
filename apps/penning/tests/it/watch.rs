//! `penning watch` against a watcher that says what a test makes it say: where it goes on, and what it refuses to guess.

use crate::kit::{all, binary, clean_env, penning};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

/// Takes one connection, tells these events, keeps the stream open until the client goes, and returns the head of the request.
fn watcher(place: &str, events: &[(&str, u64)]) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut text = format!("id: {place}\n\n");
    for (topic, number) in events {
        text.push_str(&format!(
            "event: {topic}\ndata: {{\"topic\":\"{topic}\",\"sequence\":{number},\"id\":\"{topic}:{number}\",\
             \"at\":\"2026-11-21T10:00:00Z\",\"data\":{{}}}}\n\n"
        ));
    }
    let answering = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(stream.read_line(&mut head).unwrap(), 0, "{head}");
        }
        let head_of_answer = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
        stream.get_mut().write_all(format!("{head_of_answer}{text}").as_bytes()).unwrap();
        let _ = stream.read_to_end(&mut Vec::new());
        head
    });
    (url, answering)
}

#[test]
fn watch_says_how_to_go_on_and_goes_on_there_in_every_topic() {
    let folder = tempfile::tempdir().unwrap();
    let (url, answering) = watcher("blocks:4,exits:2", &[("blocks", 5), ("exits", 3)]);
    let watch = ["watch", "blocks", "exits", "--watcher-url", &url, "--count", "2"];
    let output = penning(folder.path(), &watch).run();
    assert!(output.status.success(), "{}", all(&output));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("to go on: --place blocks:5,exits:3\n"), "{said}");
    assert!(!answering.join().unwrap().contains("last-event-id"));

    let (url, answering) = watcher("blocks:5,exits:3", &[("exits", 4)]);
    let watch = ["watch", "blocks", "exits", "--watcher-url", &url, "--count", "1", "--json"];
    let output = penning(folder.path(), &[&watch[..], &["--place", "blocks:5,exits:3"]].concat());
    let output = output.run();
    assert!(answering.join().unwrap().contains("last-event-id: blocks:5,exits:3\r\n"));
    // Scripts have the ids, and nothing but logs on standard error.
    assert!(String::from_utf8(output.stdout).unwrap().contains(r#""id":"exits:4""#));
    assert!(!String::from_utf8(output.stderr).unwrap().contains("to go on"));
}

#[test]
fn an_event_that_nobody_read_comes_again() {
    let folder = tempfile::tempdir().unwrap();
    let (url, answering) = watcher("blocks:4,exits:2", &[("exits", 3), ("blocks", 5)]);
    let mut command = Command::new(binary());
    clean_env(&mut command);
    command.args(["watch", "blocks", "exits", "--watcher-url", &url]).current_dir(folder.path());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("to go on: --place blocks:4,exits:2\n"), "{said}");
    answering.join().unwrap();
}

#[test]
fn watch_does_not_take_one_number_for_a_place_in_several_topics() {
    let folder = tempfile::tempdir().unwrap();
    let watch = ["watch", "blocks", "exits", "--from", "501", "--json"];
    let refused = penning(folder.path(), &watch).refused("watch:ambiguous_from");
    let next = refused["error"]["next"].as_str().unwrap();
    assert!(next.contains("--place blocks:NUMBER,exits:NUMBER"), "{next}");
}
