//! A submission over a WebSocket.

use crate::kit::{World, soon};
use crate::wallet::{self, alice};
use futures::io::{BufReader, BufWriter};
use plasma_rpc::child_chain::SubmitAnswer;
use serde_json::{Value, json};
use soketto::handshake::{Client, ServerResponse};
use tokio::net::TcpStream;
use tokio_util::compat::TokioAsyncReadCompatExt;

#[actix::test]
async fn a_payment_is_taken_over_a_websocket() {
    let world = World::new().await;
    let operator = world.start().await;
    let deposited = world.deposit(&operator, &[alice().address()], 10).await;
    let stream = TcpStream::connect(operator.addr).await.unwrap().compat();
    let mut client = Client::new(BufReader::new(BufWriter::new(stream)), "test", "/");
    let response = client.handshake().await.unwrap();
    assert!(matches!(response, ServerResponse::Accepted { .. }), "{response:?}");
    let (mut sender, mut receiver) = client.into_builder().finish();
    let payment = crate::api::hex(&wallet::to_bob(deposited[0], 10));

    let mut answers = Vec::new();
    for id in [1, 2] {
        let call = json!({
            "jsonrpc": "2.0", "id": id, "method": "transaction.submit",
            "params": { "transaction": payment },
        });
        sender.send_text(call.to_string()).await.unwrap();
        sender.flush().await.unwrap();
        let mut text = Vec::new();
        soon("an answer", receiver.receive_data(&mut text)).await.unwrap();
        answers.push(serde_json::from_slice::<Value>(&text).unwrap());
    }
    let accepted: SubmitAnswer = serde_json::from_value(answers[0]["result"].clone()).unwrap();
    assert_eq!(answers[1]["error"]["code"], -32_000);
    assert_eq!(answers[1]["error"]["data"]["code"], "submit:utxo_not_found");
    world.check(&operator, &[accepted]).await;
    operator.stop().await;
}
