//! The way in to the brokers of one cluster: TLS where there is any, then a login.
//! Never knows: where the settings come from, or what is asked inside.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Instant;

use super::connection::Connection;
use super::error::{Error, Trouble};
use super::scram::Login;
use super::tls::Tls;
use crate::protocol::scram::Hash;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    Plain,
    Scram(Hash),
}

/// Who comes, and how that is shown.
#[derive(Clone)]
pub struct Account {
    pub mechanism: Mechanism,
    pub user: String,
    pub password: String,
}

#[derive(Clone)]
pub struct Access {
    pub client_id: String,
    pub tls: Option<Tls>,
    pub account: Option<Account>,
}

impl Access {
    /// A connection to the broker at this place. `nonce` is of letters that no login had before.
    pub fn enter(
        &self,
        (host, port): (&str, u16),
        nonce: &str,
        deadline: Instant,
    ) -> Result<Connection, Error> {
        let mut connection = self.open((host, port), deadline)?;
        let Some(Account { mechanism, user, password }) = &self.account else {
            return Ok(connection);
        };
        match *mechanism {
            Mechanism::Plain => connection.sasl_plain(user, password, deadline)?,
            Mechanism::Scram(hash) => {
                connection.sasl_scram(hash, Login { user, password, nonce }, deadline)?;
            }
        }
        Ok(connection)
    }

    /// A name may stand for several addresses, and a broker need not listen at all of them.
    fn open(&self, (host, port): (&str, u16), deadline: Instant) -> Result<Connection, Error> {
        let unreachable = |error| Error {
            address: format!("{host}:{port}"),
            trouble: Trouble::Unreachable(error),
        };
        let addresses = (host, port).to_socket_addrs().map_err(unreachable)?;
        let addresses: Vec<SocketAddr> = addresses.collect();
        let mut trouble = unreachable(io::ErrorKind::NotFound.into());
        for (at, address) in addresses.iter().enumerate() {
            // A silent one leaves the others their share of the time.
            let left = deadline.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
            let until = Instant::now() + share;
            let opened = match &self.tls {
                None => Connection::open(*address, &self.client_id, until),
                Some(tls) => Connection::open_tls(*address, (tls, host), &self.client_id, until),
            };
            match opened {
                Ok(connection) => return Ok(connection),
                Err(error) => trouble = error,
            }
        }
        Err(trouble)
    }
}
