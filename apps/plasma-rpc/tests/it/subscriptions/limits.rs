//! How many subscriptions there may be, and that their places become free again.

use super::{Socket, call, code, subscribe, subscriber, teller_with};
use crate::raw::{self, soon};
use plasma_rpc::server::Limits;

#[tokio::test]
async fn a_socket_has_so_many_subscriptions_and_no_more() {
    let limits = Limits { websocket_subscriptions_max: 2, ..Limits::default() };
    let teller = teller_with(limits).await;
    let mut socket = Socket::open_at(teller.addr).await;
    let first = subscribe(&mut socket, r#"["blocks"]"#).await;
    subscribe(&mut socket, r#"["blocks"]"#).await;
    socket.send(&call("subscribe", r#"["exits"]"#)).await;
    assert_eq!(code(&socket.receive().await.unwrap()), "subscription:too_many");
    // Neither do many at once in one batch, or side by side.
    let batch = vec![call("subscribe", r#"["exits"]"#); 5].join(",");
    socket.send(&call("unsubscribe", &format!(r#"["{first}"]"#))).await;
    socket.receive().await.unwrap();
    socket.send(&format!("[{batch}]")).await;
    let answers = socket.receive().await.unwrap();
    assert_eq!(answers.matches("subscription:too_many").count(), 4, "{answers}");
    let mut other = Socket::open_at(teller.addr).await;
    subscribe(&mut other, r#"["exits"]"#).await;
}

#[tokio::test]
async fn all_subscriptions_together_are_limited_and_come_back_when_sockets_close() {
    let teller = teller_with(Limits { subscriptions_max: 2, ..Limits::default() }).await;
    let one = subscriber(&teller, r#"["blocks"]"#).await;
    let mut two = subscriber(&teller, r#"["blocks"]"#).await;
    let mut three = Socket::open_at(teller.addr).await;
    three.send(&call("subscribe", r#"["blocks"]"#)).await;
    assert_eq!(code(&three.receive().await.unwrap()), "operation:overloaded");
    let answer = raw::get(teller.addr, "/events?topics=blocks").await;
    assert!(answer.body.contains("operation:overloaded"), "{answer:?}");
    drop(one);
    let came_free = async {
        loop {
            three.send(&call("subscribe", r#"["blocks"]"#)).await;
            if three.receive().await.unwrap().contains("result") {
                return;
            }
        }
    };
    soon(came_free).await;
    two.socket.send(&call("unsubscribe", &format!(r#"["{}"]"#, two.id))).await;
    two.socket.receive().await.unwrap();
    // The place is free when the writer has looked at its streams again.
    soon(async {
        loop {
            two.socket.send(&call("subscribe", r#"["blocks"]"#)).await;
            if two.socket.receive().await.unwrap().contains("result") {
                return;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_server_that_stops_ends_its_subscriptions_at_once() {
    let teller = teller_with(Limits::default()).await;
    let mut one = subscriber(&teller, r#"["blocks"]"#).await;
    let mut stream = tokio::net::TcpStream::connect(teller.addr).await.unwrap();
    let ask = raw::request("GET /events?topics=blocks", &[], b"");
    tokio::io::AsyncWriteExt::write_all(&mut stream, &ask).await.unwrap();
    stream.readable().await.unwrap();
    let started = std::time::Instant::now();
    let (log, addr) = (teller.log, teller.addr);
    teller.server.stop().await;
    assert!(started.elapsed() < Limits::default().stop_grace);
    log.append_blocks(1);
    // Both hear why, and where to go on.
    let told = one.next().await;
    assert_eq!(told["subscription"], *one.id);
    assert_eq!(told["error"]["code"], "subscription:server_stops");
    assert_eq!(told["error"]["messages"]["next"], 1);
    assert_eq!(one.socket.receive().await, None);
    let rest = String::from_utf8(raw::until_closed(&mut stream).await).unwrap();
    assert!(rest.contains("id: blocks:0"), "{rest}");
    assert!(rest.contains("event: end\ndata: "), "{rest}");
    assert!(rest.contains(r#""code":"subscription:server_stops""#), "{rest}");
    assert!(tokio::net::TcpStream::connect(addr).await.is_err());
}
