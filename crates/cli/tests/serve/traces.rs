//! Traces, received by a small collector.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::client::{Service, bytes};

/// Takes spans at `/v1/traces` until the test ends.
fn collector() -> (String, Arc<Mutex<Vec<Span>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let spans = Arc::new(Mutex::new(Vec::new()));
    let shared = Arc::clone(&spans);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.expect("a connection"));
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) < 3 {
                    break;
                }
                head.push(line.trim().to_ascii_lowercase());
            }
            let Some(first) = head.first() else { continue };
            assert!(first.starts_with("post /v1/traces "), "{head:?}");
            assert!(head.contains(&"content-type: application/x-protobuf".to_owned()));
            let length = head.iter().find_map(|l| l.strip_prefix("content-length: "));
            let length: usize = length.expect("a length").parse().expect("a number");
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let sent = ExportTraceServiceRequest::decode(body.as_slice()).expect("OTLP");
            let all = sent.resource_spans.into_iter().flat_map(|r| r.scope_spans);
            shared
                .lock()
                .expect("no panic")
                .extend(all.flat_map(|s| s.spans));
            let answer = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
            let _ = reader.get_mut().write_all(answer);
        }
    });
    (address, spans)
}

fn attribute(span: &Span, name: &str) -> Option<String> {
    let found = span.attributes.iter().find(|a| a.key == name)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::StringValue(text) => Some(text.clone()),
        Value::IntValue(n) => Some(n.to_string()),
        Value::DoubleValue(n) => Some(n.to_string()),
        _ => None,
    }
}

#[test]
fn a_request_and_its_job_are_traced() {
    let (address, spans) = collector();
    let folder = tempfile::tempdir().expect("a folder");
    // What is logged does not bear on what is traced.
    let service = Service::start(folder.path(), &[("traces", &address), ("log", "warn")]);
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let answer = service.post(
        "/v1/scan?draw=true",
        &[("traceparent", parent), ("X-Request-Id", "a-request")],
        &bytes("generated.jpg"),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    let job = answer.header("realscope-job").to_owned();
    // What waits is sent at the end.
    assert_eq!(service.terminate(), Some(0));
    let spans = spans.lock().expect("no panic").clone();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let request = spans
        .iter()
        .find(|s| attribute(s, "id").as_deref() == Some("a-request"))
        .unwrap_or_else(|| panic!("no request: {spans:?}"));
    assert_eq!(hex(&request.trace_id), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(hex(&request.parent_span_id), "b7ad6b7169203331");
    for (name, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/v1/scan"),
        ("http.response.status_code", "200"),
        ("job", job.as_str()),
    ] {
        assert_eq!(
            attribute(request, name).as_deref(),
            Some(value),
            "{request:?}"
        );
    }
    let run = spans
        .iter()
        .find(|s| s.name == "job" && attribute(s, "id").as_deref() == Some(job.as_str()))
        .unwrap_or_else(|| panic!("no job: {spans:?}"));
    for stage in ["read", "scan", "store", "record"] {
        let below = spans
            .iter()
            .find(|s| s.name == stage && s.parent_span_id == run.span_id)
            .unwrap_or_else(|| panic!("no {stage}: {spans:?}"));
        assert_eq!(below.trace_id, run.trace_id);
        assert!(below.end_time_unix_nano >= below.start_time_unix_nano);
        if stage == "scan" {
            let decode = attribute(below, "stage.decode_ms").expect("a time");
            assert!(decode.parse::<f64>().expect("a number") > 0.0, "{decode}");
        }
    }
}

#[test]
fn a_collector_that_is_away_costs_its_traces_alone() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", closed.local_addr().expect("an address"));
    drop(closed);
    let folder = tempfile::tempdir().expect("a folder");
    let service = Service::start(folder.path(), &[("traces", &address)]);
    assert_eq!(service.scan("generated.jpg", &[]).status, 200);
    let begun = Instant::now();
    assert_eq!(service.terminate(), Some(0));
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}
