//! Requests to addresses that clients name: files to fetch, and webhooks. Off unless the settings say otherwise; then hosts
//! of a list, public addresses, and each redirect checked like the first address.

use std::io::{self, Read as _};
use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use url::{Host, Url};

use crate::app::Shared;
use crate::problem::Refusal;
use crate::settings::{Settings, seconds};
use crate::store::StoreError;
use crate::upload::{File, clean};
use realscope_media::Format;

/// Most redirects of one file.
const REDIRECTS: usize = 5;
/// Longest address.
const LONGEST: usize = 2048;

/// Why an address is not asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AddressError {
    #[error("the address is not valid: {0}")]
    Parse(String),
    #[error("addresses begin with http:// or https:// and carry no user or password")]
    Scheme,
    #[error("the host `{0}` is not on the list of hosts")]
    Host(String),
    #[error("the address leads into a private network")]
    Private,
}

/// Whether a host is on the list.
fn listed(settings: &Settings, url: &Url) -> bool {
    let Some(host) = url.host_str() else {
        return false;
    };
    let host = host.to_ascii_lowercase();
    let with_port = url.port().map(|p| format!("{host}:{p}"));
    settings
        .hosts
        .iter()
        .map(|h| h.to_ascii_lowercase())
        .any(|allowed| {
            if let Some(below) = allowed.strip_prefix("*.") {
                return host
                    .strip_suffix(below)
                    .is_some_and(|rest| rest.ends_with('.'));
            }
            allowed == host || with_port.as_deref() == Some(allowed.as_str())
        })
}

/// Whether an address may be asked. An IPv4 address that is written as one of IPv6 is the one that is asked.
fn is_public(ip: IpAddr) -> bool {
    realscope::fetch::is_public(ip.to_canonical())
}

/// Checks what can be checked without asking a name server.
fn parsed(settings: &Settings, address: &str) -> Result<Url, AddressError> {
    if address.len() > LONGEST {
        return Err(AddressError::Parse("it is too long".into()));
    }
    let url = Url::parse(address).map_err(|e| AddressError::Parse(e.to_string()))?;
    let plain = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !plain {
        return Err(AddressError::Scheme);
    }
    if !listed(settings, &url) {
        return Err(AddressError::Host(
            url.host_str().unwrap_or_default().to_owned(),
        ));
    }
    let literal = match url.host() {
        Some(Host::Ipv4(v4)) => Some(IpAddr::V4(v4)),
        Some(Host::Ipv6(v6)) => Some(IpAddr::V6(v6)),
        _ => None,
    };
    if !settings.private_hosts && literal.is_some_and(|ip| !is_public(ip)) {
        return Err(AddressError::Private);
    }
    Ok(url)
}

impl From<AddressError> for Refusal {
    fn from(e: AddressError) -> Self {
        match e {
            AddressError::Parse(_) | AddressError::Scheme => Self::malformed(e.to_string()),
            _ => Self::new(StatusCode::FORBIDDEN, "address", e.to_string()),
        }
    }
}

/// Looks names up, and gives public addresses only. The connection goes to what was checked, so that a name server cannot
/// say one thing to the check and another to the connection.
struct Checked {
    private: bool,
}

impl ureq::Resolver for Checked {
    fn resolve(&self, netloc: &str) -> io::Result<Vec<SocketAddr>> {
        let found: Vec<SocketAddr> = netloc.to_socket_addrs()?.collect();
        let public: Vec<SocketAddr> = found
            .into_iter()
            .filter(|a| self.private || is_public(a.ip()))
            .collect();
        if public.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                AddressError::Private.to_string(),
            ));
        }
        Ok(public)
    }
}

fn agent(settings: &Settings, time: Duration) -> ureq::Agent {
    ureq::AgentBuilder::new()
        .resolver(Checked {
            private: settings.private_hosts,
        })
        .redirects(0)
        .try_proxy_from_env(false)
        .timeout(time)
        .user_agent(concat!("realscope/", env!("CARGO_PKG_VERSION")))
        .build()
}

/// An address that may be asked, as far as can be told without asking a name server.
#[expect(
    clippy::unused_async,
    reason = "its callers await it like its siblings"
)]
pub(crate) async fn checked(app: &Shared, address: &str) -> Result<Url, Refusal> {
    Ok(parsed(&app.settings, address)?)
}

fn bad_gateway(detail: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_GATEWAY, "fetch", detail)
}

/// Fetches a file into the store's anteroom.
pub(crate) async fn fetch(app: &Shared, address: &str) -> Result<File, Refusal> {
    let (app, address) = (Arc::clone(app), address.to_owned());
    let runtime = tokio::runtime::Handle::current();
    let task = tokio::task::spawn_blocking(move || fetch_blocking(&app, &address, &runtime));
    task.await.map_err(|e| bad_gateway(e.to_string()))?
}

fn fetch_blocking(
    app: &Shared,
    address: &str,
    runtime: &tokio::runtime::Handle,
) -> Result<File, Refusal> {
    let settings = &app.settings;
    let until = Instant::now() + seconds(settings.fetch_seconds);
    let mut url = parsed(settings, address)?;
    for _ in 0..=REDIRECTS {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(bad_gateway("the address did not answer in time"));
        }
        let answer = agent(settings, left).request_url("GET", &url).call();
        let answer = match answer {
            Ok(answer) => answer,
            Err(ureq::Error::Status(status, _)) => {
                return Err(bad_gateway(format!("the address answered {status}")));
            }
            // Of a transport's error the sentence could tell what stands in a private network.
            Err(ureq::Error::Transport(e)) => {
                tracing::info!(error = %e, "an address cannot be fetched");
                return Err(bad_gateway(format!(
                    "the address cannot be reached ({})",
                    e.kind()
                )));
            }
        };
        if (300..400).contains(&answer.status()) {
            let to = answer
                .header("location")
                .ok_or_else(|| bad_gateway("a redirect leads nowhere"))?;
            let next = url.join(to).map_err(|e| bad_gateway(e.to_string()))?;
            url = parsed(settings, next.as_str())?;
            continue;
        }
        return receive(app, &url, answer, runtime);
    }
    Err(bad_gateway(format!("more than {REDIRECTS} redirects")))
}

fn receive(
    app: &Shared,
    url: &Url,
    answer: ureq::Response,
    runtime: &tokio::runtime::Handle,
) -> Result<File, Refusal> {
    let settings = &app.settings;
    let largest = settings.max_bytes.max(settings.max_video_bytes);
    let announced = answer
        .header("content-length")
        .and_then(|v| v.parse::<u64>().ok());
    if announced.is_some_and(|n| n > largest) {
        return Err(Refusal::too_large(largest));
    }
    let mut file = app.store.incoming()?;
    let mut reader = answer.into_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = reader
            .read(&mut buffer)
            .map_err(|e| bad_gateway(format!("the file broke off: {e}")))?;
        if read == 0 {
            break;
        }
        let part = buffer.get(..read).unwrap_or_default();
        runtime.block_on(file.write(part))?;
        let video = Format::sniff(file.head()) == Some(Format::Video);
        let limit = if video {
            settings.max_video_bytes
        } else {
            settings.max_bytes
        };
        if file.bytes() > limit {
            return Err(Refusal::too_large(limit));
        }
    }
    let name = url
        .path_segments()
        .and_then(|mut s| s.next_back())
        .map(clean)
        .filter(|n| !n.is_empty());
    let arrived = runtime
        .block_on(file.end())
        .map_err(|e: StoreError| Refusal::from(e))?;
    Ok(File { name, arrived })
}

/// Sends a body; the status that came back, or why none did.
pub(crate) fn post(
    settings: &Settings,
    address: &str,
    headers: &[(&str, String)],
    body: &str,
) -> Result<u16, String> {
    let url = parsed(settings, address).map_err(|e| e.to_string())?;
    let mut request = agent(settings, seconds(settings.fetch_seconds)).request_url("POST", &url);
    for (name, value) in headers {
        request = request.set(name, value);
    }
    match request.send_string(body) {
        Ok(answer) => Ok(answer.status()),
        Err(ureq::Error::Status(status, _)) => Ok(status),
        Err(ureq::Error::Transport(e)) => Err(e.kind().to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(hosts: &[&str], private_hosts: bool) -> Settings {
        Settings {
            hosts: hosts.iter().map(|h| (*h).to_owned()).collect(),
            private_hosts,
            ..Settings::default()
        }
    }

    #[test]
    fn only_listed_hosts_are_asked() {
        let s = settings(&["a.example", "*.b.example", "c.example:8443"], false);
        for (address, allowed) in [
            ("https://a.example/x.jpg", true),
            ("https://A.EXAMPLE/x.jpg", true),
            ("http://x.b.example/", true),
            ("https://b.example/", false),
            ("https://evilb.example/", false),
            ("https://a.example.evil.example/", false),
            ("https://c.example:8443/", true),
            ("https://c.example/", false),
            ("https://user@a.example/", false),
            ("file:///etc/passwd", false),
            ("gopher://a.example/", false),
            ("ftp://a.example/", false),
            ("https://", false),
        ] {
            assert_eq!(parsed(&s, address).is_ok(), allowed, "{address}");
        }
        assert!(parsed(&settings(&[], true), "https://a.example/").is_err());
    }

    #[test]
    fn addresses_of_private_networks_are_none_of_ours() {
        for (text, public) in [
            ("1.1.1.1", true),
            ("2606:4700:4700::1111", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("192.0.0.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::a00:1", false),
            ("64:ff9b::808:808", false),
            ("2002:7f00:1::", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(
                is_public(text.parse().expect("an address")),
                public,
                "{text}"
            );
        }
    }

    #[test]
    fn a_literal_of_a_private_network_is_refused_in_every_spelling() {
        let hosts = [
            "127.0.0.1",
            "2130706433",
            "0x7f.1",
            "[::1]",
            "[::ffff:7f00:1]",
            "localhost",
        ];
        let s = settings(
            &["127.0.0.1", "[::1]", "[::ffff:7f00:1]", "localhost"],
            false,
        );
        for host in hosts {
            let refused = match parsed(&s, &format!("http://{host}/")) {
                Err(AddressError::Private | AddressError::Host(_)) => true,
                // A name is looked up later, by a resolver that gives public addresses only.
                Ok(url) => ureq::Resolver::resolve(
                    &Checked { private: false },
                    &format!("{}:80", url.host_str().unwrap_or_default()),
                )
                .is_err(),
                Err(_) => false,
            };
            assert!(refused, "{host}");
        }
    }
}
