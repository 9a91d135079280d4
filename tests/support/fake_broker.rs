//! A broker that a test writes the lines of, for what a real one does too rarely to wait for: mutual TLS and the first bytes
//! of MQTT 3.1.1.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;

use milepost::delivery::tls;
use milepost::enroll::Authority;
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const CONNECT: u8 = 1;
const SUBSCRIBE: u8 = 8;

pub struct FakeBroker {
    listener: TcpListener,
    config: Arc<ServerConfig>,
}

/// One client's connection.
pub struct Session(StreamOwned<ServerConnection, TcpStream>);

impl FakeBroker {
    /// With a certificate for `localhost` by this authority, whose certificate lies in `folder` as `authority.pem`.
    pub fn listen(authority: &Authority, folder: &Path) -> Self {
        authority.issue_server(&["localhost"]).unwrap().save(folder, "fake").unwrap();
        let pem = |name: &str| tls::Pem::load(&folder.join(name)).unwrap();
        let roots = Arc::new(pem("authority.pem").roots().unwrap());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots, tls::provider()).build().unwrap();
        let chain = pem("fake.pem").certificates().unwrap();
        let key = pem("fake.key").private_key().unwrap();
        let config = ServerConfig::builder_with_provider(tls::provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .unwrap();
        Self { listener: TcpListener::bind("127.0.0.1:0").unwrap(), config: Arc::new(config) }
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    /// The next client, which has said CONNECT and hears whether its session is still known.
    pub fn accept(&self, session_present: bool) -> Session {
        let (stream, _) = self.listener.accept().unwrap();
        let connection = ServerConnection::new(self.config.clone()).unwrap();
        let mut session = Session(StreamOwned::new(connection, stream));
        assert_eq!(session.next().unwrap().0, CONNECT);
        session.say(&[0x20, 2, u8::from(session_present), 0]);
        session
    }
}

impl Session {
    /// Answers each subscription with this code, until that to `last` is answered.
    pub fn answer_subscriptions(&mut self, last: &str, code: u8) {
        loop {
            let (kind, packet) = self.next().unwrap();
            if kind != SUBSCRIBE {
                continue;
            }
            self.say(&[0x90, 3, packet[0], packet[1], code]);
            let length = usize::from(packet[2]) << 8 | usize::from(packet[3]);
            if &packet[4..4 + length] == last.as_bytes() {
                return;
            }
        }
    }

    fn say(&mut self, packet: &[u8]) {
        self.0.write_all(packet).unwrap();
        self.0.flush().unwrap();
    }

    /// The next packet: its type and what follows its length.
    fn next(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let [kind] = self.bytes()?;
        let (mut length, mut shift) = (0, 0);
        loop {
            let [byte] = self.bytes()?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut rest = vec![0; length];
        self.0.read_exact(&mut rest)?;
        Ok((kind >> 4, rest))
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}
