//! What an administrator does with the accounts of others.

use jiff::Timestamp;
use serde::Serialize;

use super::book::{Account, Secret, Standing};
use super::role::Role;
use super::secret::OneTimeCode;
use super::{Accounts, AccountsError};
use crate::words::PersonName;

/// An account as the administrator sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountView {
    pub name: PersonName,
    pub role: Role,
    pub made: Timestamp,
    pub standing: Standing,
    /// Recovery codes that are left.
    pub recovery: usize,
    /// By its roster; else it was made here.
    pub from_department: bool,
}

impl Accounts {
    pub fn invite(&mut self, name: &str, role: Role, now: Timestamp) -> Result<OneTimeCode, AccountsError> {
        let name = PersonName::parse(name)?;
        self.is_made_here(name.as_str())?;
        if self.book.find(name.as_str()).is_some() {
            return Err(AccountsError::Taken(name));
        }
        let code = OneTimeCode::generate();
        let account = Account::new(name, role, Secret::Code(code.hash()), now);
        self.change(|book| book.accounts.push(account))?;
        Ok(code)
    }

    /// The name of an account as it was given, whatever the case in which it is written now.
    pub fn find(&self, name: &str) -> Result<PersonName, AccountsError> {
        let index = self.book.find(name).ok_or_else(|| AccountsError::Nobody(name.to_owned()))?;
        Ok(self.book.accounts[index].name.clone())
    }

    /// For who forgot the password: back to a one-time code, with the lock released.
    pub fn reset(&mut self, name: &str) -> Result<OneTimeCode, AccountsError> {
        self.is_made_here(name)?;
        self.keeps_an_administrator(name)?;
        let code = OneTimeCode::generate();
        let secret = Secret::Code(code.hash());
        self.change_account(name, |account| {
            account.secret = secret;
            account.recovery.clear();
            account.release();
        })?;
        Ok(code)
    }

    pub fn release(&mut self, name: &str) -> Result<(), AccountsError> {
        self.change_account(name, Account::release)
    }

    pub fn disable(&mut self, name: &str) -> Result<(), AccountsError> {
        self.is_made_here(name)?;
        self.keeps_an_administrator(name)?;
        self.change_account(name, |account| account.disabled = true)
    }

    pub fn enable(&mut self, name: &str) -> Result<(), AccountsError> {
        self.is_made_here(name)?;
        self.change_account(name, |account| account.disabled = false)
    }

    pub fn list(&self, now: Timestamp) -> Vec<AccountView> {
        let view = |(index, account): (usize, &Account)| AccountView {
            name: account.name.clone(),
            role: account.role,
            made: account.made,
            standing: self.standing(index, now),
            recovery: account.recovery.len(),
            from_department: account.given.is_some(),
        };
        self.book.accounts.iter().enumerate().map(view).collect()
    }

    fn keeps_an_administrator(&self, name: &str) -> Result<(), AccountsError> {
        let able = |account: &&Account| account.given.is_none() && account.is_able_administrator();
        let mut left = self.book.accounts.iter().filter(able);
        match (left.next(), left.next()) {
            (Some(last), None) if self.book.find(name) == self.book.find(last.name.as_str()) => {
                Err(AccountsError::LastAdministrator(last.name.clone()))
            }
            _ => Ok(()),
        }
    }
}
