//! The typed client: every method against a server, and every way in which a call can fail.

use crate::nodes;
use plasma_core::wire::{Address, Blknum, ETH, H256, TxIndex, U256};
use plasma_rpc::child_chain::{
    self, BatchItem, BatchSubmitParams, BlockGetParams, FeesAllParams, SubmitAnswer, SubmitParams,
};
use plasma_rpc::client::{ClientConfig, ClientError, HttpRpcClient};
use plasma_rpc::params::NoParams;
use plasma_rpc::watcher::{self, AccountParams, BlockValidateParams, UtxoPosParams};
use plasma_rpc::{RpcError, Service};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

fn client(addr: SocketAddr) -> HttpRpcClient {
    HttpRpcClient::new(ClientConfig::new(format!("http://{addr}"))).unwrap()
}

fn accepted() -> SubmitAnswer {
    let tx = plasma_core::wire::SignedTx::decode(&nodes::payment(1_000)).unwrap();
    SubmitAnswer { blknum: Blknum::new(2_000), txindex: TxIndex::new(7), txhash: tx.hash() }
}

#[tokio::test]
async fn every_method_of_the_child_chain_can_be_called() {
    let node = nodes::child_chain().await;
    let client = client(node.addr);
    let hash = nodes::known_hash();
    let block = client.call(&child_chain::BLOCK_GET, &BlockGetParams { hash }).await.unwrap().0;
    assert_eq!((block.number, block.hash), (Blknum::new(1_000), hash));
    assert_eq!(block.transactions, [Box::from([0xf8, 1]), Box::from([0xab, 0xcd, 0xef])]);

    let transaction = nodes::payment(1_000);
    let params = SubmitParams { transaction };
    let answer = client.call(&child_chain::TRANSACTION_SUBMIT, &params).await.unwrap();
    assert_eq!(answer, accepted());

    let transactions = vec![nodes::payment(1_000), nodes::payment(3_000)];
    let params = BatchSubmitParams { transactions };
    let answer = client.call(&child_chain::TRANSACTION_BATCH_SUBMIT, &params).await.unwrap();
    let refused = BatchItem::Refused { error: "utxo_not_found".into() };
    assert_eq!(answer, [BatchItem::Accepted(accepted()), refused]);

    let params = FeesAllParams { currencies: vec![ETH], tx_types: vec![1] };
    let fees = client.call(&child_chain::FEES_ALL, &params).await.unwrap().0;
    assert_eq!(fees[&1][0].amount, U256::MAX);
    assert_eq!(fees[&1][0].pegged_subunit_to_unit, Some(100.into()));

    let configuration = client.call(&child_chain::CONFIGURATION_GET, &NoParams {}).await.unwrap();
    assert_eq!(configuration.deposit_finality_margin, 10);
    node.raise(plasma_rpc::alarm::AlarmName::InvalidFeeSource);
    let alarms = client.call(&child_chain::ALARM_GET, &NoParams {}).await.unwrap();
    assert_eq!(alarms, *node.alarms.lock().unwrap());
}

#[tokio::test]
async fn the_status_of_the_watcher_survives_the_journey() {
    let node = nodes::watcher().await;
    let status = client(node.addr).call(&watcher::STATUS_GET, &NoParams {}).await;
    assert_eq!(status.unwrap(), nodes::status());
}

#[tokio::test]
async fn every_other_method_of_the_watcher_can_be_called() {
    let node = nodes::watcher().await;
    let client = client(node.addr);
    let configuration = client.call(&watcher::CONFIGURATION_GET, &NoParams {}).await.unwrap();
    assert_eq!(configuration.exit_processor_sla_margin, 5_520);
    let address = Address::repeat_byte(0xaa);
    let params = AccountParams { address };
    let utxos = client.call(&watcher::ACCOUNT_GET_EXITABLE_UTXOS, &params).await.unwrap();
    assert_eq!((utxos[0].owner, utxos[0].amount), (address, U256::MAX));

    let params = BlockValidateParams {
        hash: H256::zero(),
        transactions: vec![vec![1]],
        number: 1_000.into(),
    };
    assert!(client.call(&watcher::BLOCK_VALIDATE, &params).await.unwrap().valid);
    let params = UtxoPosParams::new(nodes::known_position());
    let exit = client.call(&watcher::UTXO_GET_EXIT_DATA, &params).await.unwrap();
    assert_eq!((exit.utxo_pos, exit.proof), (nodes::known_position(), vec![0xab; 4]));
    let challenge = client.call(&watcher::UTXO_GET_CHALLENGE_DATA, &params).await.unwrap();
    assert_eq!((challenge.exit_id.as_bytes(), challenge.sig.len()), (&[0xff; 20], 65));

    let sentinel = client.call(&watcher::SENTINEL_GET, &NoParams {}).await.unwrap();
    assert_eq!(sentinel, nodes::sentinel());

    let transaction = nodes::payment(1_000);
    let params = SubmitParams { transaction };
    let answer = client.call(&watcher::TRANSACTION_SUBMIT, &params).await.unwrap();
    assert_eq!(answer, accepted());
}

#[tokio::test]
async fn the_base_url_may_end_in_slashes() {
    let node = nodes::child_chain().await;
    for end in ["", "/", "//"] {
        let config = ClientConfig::new(format!("http://{}{end}", node.addr));
        let client = HttpRpcClient::new(config).unwrap();
        let answer = client.call(&child_chain::CONFIGURATION_GET, &NoParams {}).await;
        assert!(answer.is_ok(), "{answer:?}");
    }
    for url in ["", "localhost:9656", "ftp://localhost", "/"] {
        assert!(HttpRpcClient::new(ClientConfig::new(url)).is_err(), "{url}");
    }
}

/// Takes one request, answers it with these bytes and closes; hands back the request.
async fn answer_once(answer: Vec<u8>) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = Vec::new();
        while !request.windows(4).any(|window| window == b"\r\n\r\n") {
            assert_ne!(stream.read_buf(&mut request).await.unwrap(), 0);
        }
        // The client may hang up before it has read everything.
        let _ = stream.write_all(&answer).await;
        String::from_utf8(request).unwrap()
    });
    (addr, task)
}

fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// What the client makes of an answer, in one word.
async fn outcome(answer: Vec<u8>) -> String {
    let (addr, server) = answer_once(answer).await;
    let client = HttpRpcClient::new(ClientConfig {
        answer_len_max: 1_000,
        call_timeout: Duration::from_secs(10),
        ..ClientConfig::new(format!("http://{addr}"))
    });
    let answer = client.unwrap().call(&child_chain::CONFIGURATION_GET, &NoParams {}).await;
    server.await.unwrap();
    match answer.unwrap_err() {
        ClientError::Unreachable { .. } => "unreachable".into(),
        ClientError::Http { status, .. } => format!("http {status}"),
        ClientError::Malformed { .. } => "malformed".into(),
        ClientError::Api(error) => error.to_string(),
    }
}

#[tokio::test]
async fn each_kind_of_failure_is_told_apart() {
    let refusal = r#"{"success":false,"data":{"object":"error","code":"operation:service_unavailable","description":"not ready"}}"#;
    let endless = [
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(),
        b"a\r\n0123456789\r\n".repeat(1_000),
    ]
    .concat();
    for (answer, expected) in [
        (Vec::new(), "unreachable"),
        (b"no HTTP at all\r\n\r\n".to_vec(), "unreachable"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"succ".to_vec(), "unreachable"),
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n".to_vec(), "http 500"),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(), "http 404"),
        (
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n"
                .to_vec(),
            "http 302",
        ),
        (ok(""), "malformed"),
        (ok("<html>"), "malformed"),
        (ok("{}"), "malformed"),
        (ok("{\"success\":true}"), "malformed"),
        (ok("{\"success\":true,\"data\":{}}"), "malformed"),
        (ok("{\"success\":false,\"data\":{}}"), "malformed"),
        (ok("\u{feff}{}"), "malformed"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n\xff".to_vec(), "malformed"),
        (ok(&"x".repeat(1_001)), "malformed"),
        (endless, "malformed"),
        (ok(refusal), "operation:service_unavailable: not ready"),
    ] {
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert_eq!(outcome(answer).await, expected, "{text}");
    }
}

#[tokio::test]
async fn nobody_listening_and_nobody_answering_are_both_unreachable() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = listener.local_addr().unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for addr in [silent, closed] {
        let client = HttpRpcClient::new(ClientConfig {
            call_timeout: Duration::from_millis(100),
            ..ClientConfig::new(format!("http://{addr}"))
        });
        let answer = client.unwrap().call(&child_chain::CONFIGURATION_GET, &NoParams {}).await;
        let error = answer.unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn a_watcher_says_its_version() {
    let (addr, server) = answer_once(ok("{}")).await;
    let client = HttpRpcClient::new(ClientConfig {
        watcher_version: Some("0.1.0+1a2b3c4".into()),
        ..ClientConfig::new(format!("http://{addr}/"))
    });
    let hash = H256::zero();
    let answer = client.unwrap().call(&child_chain::BLOCK_GET, &BlockGetParams { hash }).await;
    assert!(answer.is_err());
    let request = server.await.unwrap();
    assert!(request.starts_with("POST /block.get HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\r\nx-watcher-version: 0.1.0+1a2b3c4\r\n"), "{request}");
    assert!(request.contains("\r\ncontent-type: application/json\r\n"), "{request}");
}

#[test]
fn failures_of_a_forwarded_call_have_documented_codes() {
    let url = String::new();
    let api = || {
        let body = r#"{"object":"error","code":"operation:overloaded","description":null}"#;
        ClientError::Api(serde_json::from_str(body).unwrap())
    };
    for (error, is_transient, code) in [
        (
            ClientError::Unreachable { url: url.clone(), reason: String::new() },
            true,
            "submit:host_unreachable",
        ),
        (ClientError::Http { url: url.clone(), status: 503 }, true, "submit:server_error"),
        (ClientError::Http { url: url.clone(), status: 413 }, false, "submit:server_error"),
        (ClientError::Malformed { url, reason: String::new() }, false, "submit:malformed_response"),
        (api(), true, "submit:client_error"),
    ] {
        assert_eq!(error.is_transient(), is_transient, "{error}");
        let refusal = RpcError::from(error).render(Service::Watcher, "submit");
        assert_eq!(refusal.body.code, code);
    }
}
