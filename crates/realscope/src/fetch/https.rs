//! A client for a single purpose: a few bytes by HTTPS from a public address.

use std::io::Read as _;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use url::Url;

use super::Fetch;
use super::address::is_public;

/// Most redirects that are followed; each is checked like the first address.
const REDIRECTS: usize = 3;

/// Why nothing was fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The address is none, names a user, or is no HTTPS.
    #[error("it is no address by HTTPS")]
    NotHttps,
    /// The host has an address that is not public.
    #[error("{host} is no public address")]
    NotPublic {
        /// The host.
        host: String,
    },
    /// The host has no address.
    #[error("{host} cannot be found")]
    NotFound {
        /// The host.
        host: String,
    },
    /// The answer is no success.
    #[error("the server answered {status}")]
    Status {
        /// Its code.
        status: u16,
    },
    /// It leads from one address to the next.
    #[error("it leads on more than {REDIRECTS} times")]
    Redirects,
    /// The answer is too long.
    #[error("the answer has more than {limit} bytes")]
    TooLarge {
        /// Most bytes.
        limit: u64,
    },
    /// It took too long.
    #[error("no answer within {seconds} s")]
    Deadline {
        /// Longest time.
        seconds: u64,
    },
    /// The connection failed.
    #[error("the connection failed: {reason}")]
    Failed {
        /// Why.
        reason: String,
    },
}

/// Fetches by HTTPS from public addresses, within limits.
#[derive(Clone, Debug)]
pub struct Fetcher {
    max_bytes: u64,
    timeout: Duration,
    /// A server of a test that may be reached without TLS; nothing but tests of this module can set it.
    loopback: Option<SocketAddr>,
}

impl Default for Fetcher {
    fn default() -> Self {
        Self {
            max_bytes: 2 << 20,
            timeout: Duration::from_secs(10),
            loopback: None,
        }
    }
}

impl Fetcher {
    /// As a scan takes it.
    #[must_use]
    pub fn into_fetch(self) -> Fetch {
        Fetch::new(move |url| self.get(url).map_err(|e| e.to_string()))
    }

    /// The bytes at an address.
    ///
    /// # Errors
    /// [`FetchError`].
    pub fn get(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let (done, wait) = mpsc::channel();
        let (own, url) = (self.clone(), url.to_owned());
        // A name server that never answers holds this thread, not the scan.
        std::thread::spawn(move || {
            let _ = done.send(own.follow(&url));
        });
        let late = FetchError::Deadline {
            seconds: self.timeout.as_secs(),
        };
        wait.recv_timeout(self.timeout).unwrap_or(Err(late))
    }

    fn follow(&self, url: &str) -> Result<Vec<u8>, FetchError> {
        let until = Instant::now() + self.timeout;
        let mut url = Url::parse(url).map_err(|_| FetchError::NotHttps)?;
        for _ in 0..=REDIRECTS {
            let addresses = self.addresses(&url)?;
            let left = until.saturating_duration_since(Instant::now());
            // Only what was checked is connected to, whatever the name says a moment later. Proxies would resolve it
            // themselves.
            let agent = ureq::AgentBuilder::new()
                .resolver(move |_: &str| Ok(addresses.clone()))
                .redirects(0)
                .try_proxy_from_env(false)
                .timeout(left)
                .user_agent(concat!("realscope/", env!("CARGO_PKG_VERSION")))
                .build();
            let failed = |e: &dyn std::fmt::Display| FetchError::Failed {
                reason: e.to_string(),
            };
            let answer = match agent.request_url("GET", &url).call() {
                Ok(answer) => answer,
                Err(ureq::Error::Status(status, _)) => return Err(FetchError::Status { status }),
                Err(ureq::Error::Transport(e)) => return Err(failed(&e)),
            };
            match (answer.status(), answer.header("location")) {
                (301 | 302 | 303 | 307 | 308, Some(to)) => {
                    url = url.join(to).map_err(|_| FetchError::NotHttps)?;
                }
                (200, _) => {
                    let mut bytes = Vec::new();
                    let mut body = answer.into_reader().take(self.max_bytes + 1);
                    body.read_to_end(&mut bytes).map_err(|e| failed(&e))?;
                    if bytes.len() as u64 > self.max_bytes {
                        return Err(FetchError::TooLarge {
                            limit: self.max_bytes,
                        });
                    }
                    return Ok(bytes);
                }
                (status, _) => return Err(FetchError::Status { status }),
            }
        }
        Err(FetchError::Redirects)
    }

    /// The addresses of a host, all of them public.
    fn addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, FetchError> {
        let host = url.host_str().ok_or(FetchError::NotHttps)?.to_owned();
        let port = url.port_or_known_default().ok_or(FetchError::NotHttps)?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let found = (bare, port).to_socket_addrs();
        let found: Vec<SocketAddr> = found.into_iter().flatten().collect();
        let seam = self.loopback.is_some_and(|own| found == [own]);
        if !(url.scheme() == "https" || seam)
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err(FetchError::NotHttps);
        }
        if found.is_empty() {
            return Err(FetchError::NotFound { host });
        }
        if !seam && found.iter().any(|a| !is_public(a.ip())) {
            return Err(FetchError::NotPublic { host });
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::net::TcpListener;

    /// A server on this machine that gives each connection its next answer.
    fn server(answers: Vec<String>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut head = [0; 1024];
                let _ = stream.read(&mut head);
                if answer.is_empty() {
                    std::thread::sleep(Duration::from_secs(5));
                }
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        address
    }

    fn ok(body: &str) -> String {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    fn moved(to: &str) -> String {
        format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
    }

    fn get(answers: Vec<String>) -> Result<Vec<u8>, FetchError> {
        let address = server(answers);
        let fetcher = Fetcher {
            max_bytes: 100,
            timeout: Duration::from_secs(1),
            loopback: Some(address),
        };
        fetcher.get(&format!("http://{address}/manifest"))
    }

    #[test]
    fn bytes_come_within_the_limits() {
        assert_eq!(get(vec![ok("a manifest")]), Ok(b"a manifest".to_vec()));
        assert_eq!(
            get(vec![ok(&"x".repeat(101))]),
            Err(FetchError::TooLarge { limit: 100 })
        );
        let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(5000));
        assert_eq!(get(vec![endless]), Err(FetchError::TooLarge { limit: 100 }));
        assert_eq!(
            get(vec![
                "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into()
            ]),
            Err(FetchError::Status { status: 404 })
        );
        assert_eq!(
            get(vec![String::new()]),
            Err(FetchError::Deadline { seconds: 1 })
        );
    }

    #[test]
    fn each_redirect_is_checked() {
        assert_eq!(
            get(vec![moved("/other"), ok("found")]),
            Ok(b"found".to_vec())
        );
        assert_eq!(get(vec![moved("/a"); 9]), Err(FetchError::Redirects));
        // Another server of this machine is out of reach, with and without TLS.
        let other = server(vec![ok("secret")]);
        assert_eq!(
            get(vec![moved(&format!("http://{other}/"))]),
            Err(FetchError::NotHttps)
        );
        assert_eq!(
            get(vec![moved(&format!("https://{other}/"))]),
            Err(FetchError::NotPublic {
                host: "127.0.0.1".into()
            })
        );
        assert_eq!(
            get(vec![moved("file:///etc/passwd")]),
            Err(FetchError::NotHttps)
        );
    }

    #[test]
    fn without_the_seam_this_machine_is_out_of_reach() {
        let fetcher = Fetcher::default();
        let address = server(vec![ok("secret")]);
        for url in [
            format!("http://{address}/"),
            "http://example.org/".into(),
            "https://user@1.1.1.1/".into(),
            "https://".into(),
            "ftp://1.1.1.1/".into(),
            "manifest".into(),
        ] {
            assert_eq!(fetcher.get(&url), Err(FetchError::NotHttps), "{url}");
        }
        for host in [
            "127.0.0.1",
            "localhost",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "0x7f.1",
            "2130706433",
            "169.254.169.254",
            "10.0.0.1",
        ] {
            let found = fetcher.get(&format!("https://{host}:{}/", address.port()));
            assert!(
                matches!(found, Err(FetchError::NotPublic { .. })),
                "{host}: {found:?}"
            );
        }
    }
}
