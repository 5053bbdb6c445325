//! A node that answers what the test wants, over real HTTP.

use plasma_eth::RpcUrl;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// One answer.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// A JSON-RPC answer to the request's id: these fields.
    Answer(Value),
    /// An HTTP status and any body.
    Body(u16, String),
    /// Never answers.
    Silence,
    /// Closes the connection.
    HangUp,
}

impl Reply {
    pub(crate) fn result(result: Value) -> Self {
        Self::Answer(json!({ "result": result }))
    }

    pub(crate) fn error(code: i64, message: &str) -> Self {
        Self::Answer(json!({"error": {"code": code, "message": message}}))
    }

    pub(crate) fn body(status: u16, body: &str) -> Self {
        Self::Body(status, body.to_owned())
    }
}

type Answerer = Box<dyn Fn(&str, &Value) -> Option<Reply> + Send + Sync>;

struct Script {
    /// Given first, whatever is asked.
    first: Mutex<VecDeque<Reply>>,
    /// Given to the first call of a method.
    once: Mutex<Vec<(String, Reply)>>,
    answer: Answerer,
    heard: Mutex<Vec<(String, Value)>>,
}

/// Runs until it is dropped.
pub(crate) struct ScriptedNode {
    script: Arc<Script>,
    port: u16,
    task: JoinHandle<()>,
}

impl ScriptedNode {
    /// Gives `replies` in order, then what `answer` says to method and params.
    pub(crate) async fn start(
        replies: Vec<Reply>,
        answer: impl Fn(&str, &Value) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::run(replies, Vec::new(), Box::new(answer)).await
    }

    /// Gives each method in `once` that reply the first time, and else what `answer` says.
    pub(crate) async fn start_with(
        answer: impl Fn(&str, &Value) -> Option<Reply> + Send + Sync + 'static,
        once: &[(&str, Reply)],
    ) -> Self {
        let once = once.iter().map(|(method, reply)| ((*method).to_owned(), reply.clone()));
        Self::run(Vec::new(), once.collect(), Box::new(answer)).await
    }

    async fn run(replies: Vec<Reply>, once: Vec<(String, Reply)>, answer: Answerer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Script {
            first: Mutex::new(replies.into()),
            once: Mutex::new(once),
            answer,
            heard: Mutex::new(Vec::new()),
        });
        let serving = script.clone();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, serving.clone()));
            }
        });
        Self { script, port, task }
    }

    pub(crate) fn rpc_url(&self) -> RpcUrl {
        format!("http://127.0.0.1:{}", self.port).parse().unwrap()
    }

    /// How many requests came.
    pub(crate) fn calls(&self) -> usize {
        self.script.heard.lock().unwrap().len()
    }

    pub(crate) fn params_of(&self, method: &str) -> Vec<Value> {
        let heard = self.script.heard.lock().unwrap();
        let of_method = heard.iter().filter(|(heard, _)| heard == method);
        of_method.map(|(_, params)| params.clone()).collect()
    }

    /// From and to of every request for logs.
    pub(crate) fn log_ranges(&self) -> Vec<(u64, u64)> {
        let bound = |params: &Value, key: &str| {
            let hex = params[0][key].as_str().unwrap().trim_start_matches("0x");
            u64::from_str_radix(hex, 16).unwrap()
        };
        let all = self.params_of("eth_getLogs");
        all.iter().map(|params| (bound(params, "fromBlock"), bound(params, "toBlock"))).collect()
    }
}

impl Drop for ScriptedNode {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request per connection.
async fn serve(mut stream: TcpStream, script: Arc<Script>) {
    let request = read_request(&mut stream).await;
    let method = request["method"].as_str().unwrap().to_owned();
    script.heard.lock().unwrap().push((method.clone(), request["params"].clone()));
    let reply = next_reply(&script, &method, &request["params"]);
    let (status, body) = match reply {
        Reply::HangUp => return,
        Reply::Silence => std::future::pending().await,
        Reply::Body(status, body) => (status, body),
        Reply::Answer(mut answer) => {
            answer["jsonrpc"] = json!("2.0");
            answer["id"] = request["id"].clone();
            (200, answer.to_string())
        }
    };
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The client may hang up on a body it finds too long.
    stream.write_all(body.as_bytes()).await.ok();
}

fn next_reply(script: &Script, method: &str, params: &Value) -> Reply {
    if let Some(reply) = script.first.lock().unwrap().pop_front() {
        return reply;
    }
    let mut once = script.once.lock().unwrap();
    if let Some(at) = once.iter().position(|(of, _)| of == method) {
        return once.remove(at).1;
    }
    (script.answer)(method, params).unwrap_or_else(|| panic!("unexpected call of {method}"))
}

async fn read_request(stream: &mut TcpStream) -> Value {
    let mut bytes = Vec::new();
    loop {
        let mut chunk = [0; 4096];
        let read = stream.read(&mut chunk).await.unwrap();
        bytes.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
            .map(|(_, length)| length.trim().parse::<usize>().unwrap());
        if body.len() >= length.unwrap() {
            return serde_json::from_str(body).unwrap();
        }
    }
}
