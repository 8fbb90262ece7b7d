//! The ledger itself: a file, and what may be done to it.

use super::budget::{Amounts, Budget, Rule};
use super::format::{Book, Chain, Flaw, Head, Header};
use super::loss;
use super::spending::{Debit, Spending, check_name};
use super::storage::{Disk, Former, Storage, write};
use crate::dp::event::PrivacyEvent;
use crate::error::{Error, Result};
use crate::keys::Key;
use rand::TryRng;
use rand::rngs::SysRng;
use serde::Serialize;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The persisted budget of a pool.
///
/// Every call of [`Self::reserve`] locks the file, reads and checks all of it, and returns only when the new entry is durable; so several processes and threads may spend
/// from one ledger, each with a `Ledger` of its own.
///
/// ```
/// use backmask::dp::event::PrivacyEvent;
/// use backmask::dp::ledger::{Budget, Ledger, Spending};
/// use backmask::units::{Delta, Epsilon};
///
/// # let folder = tempfile::tempdir().expect("a folder");
/// # let path = folder.path().join("pool.ledger");
/// let mut ledger = Ledger::create(&path, "listeners-2026", Budget::new(Epsilon::new(1.0)?, Delta::new(0.0)?))?;
/// let asked = |epsilon| {
///     Spending::new("hours", "weekly", vec![PrivacyEvent::Pure { epsilon, count: 1 }], Epsilon::new(epsilon)?, Delta::new(0.0)?)
/// };
///
/// let reservation = ledger.reserve(&asked(0.75)?)?; // durable now
/// // … draw the noise and publish …
/// ledger.commit(reservation)?;
///
/// let refused = ledger.reserve(&asked(0.5)?).unwrap_err();
/// assert_eq!(refused.exit_code(), 3);
/// assert_eq!(Ledger::open(&path)?.statement()?.remaining.epsilon, 0.25);
/// # Ok::<(), backmask::Error>(())
/// ```
///
/// # Guarantee
/// Promised to every subject of the pool: everything released from it with noise that was drawn after a reservation is (ε, δ)-differentially private for the budget in the
/// first line, by the theorem of its [`Rule`], if what was run is what was reserved, and if the file was neither copied nor set back. A crash at any moment leaves the
/// ledger readable, with every reservation that was returned; what was reserved stays spent, whether it was used or not.
///
/// # Security
/// Entries are chained, so that an edit inside the file is noticed; with [`Self::create_sealed`] nobody without the key can edit it and mend the chain. A file that is
/// set back as a whole to an earlier state is a valid ledger: keep its [`Head`] elsewhere and give it to [`Self::expect_head`]. A copy is a second budget.
#[derive(Debug)]
pub struct Ledger {
    storage: Arc<dyn Storage>,
    path: PathBuf,
    chain: Chain,
    pool: Option<String>,
    /// States that the file must have passed through.
    seen: Vec<Head>,
    id: String,
}

/// The right to draw the noise of one [`Spending`]; what it names is spent.
///
/// There is no way back: dropping it leaves the budget spent, because nobody can tell afterwards whether noise was drawn and looked at.
#[derive(Debug)]
#[must_use = "what it names is spent; draw the noise and commit it"]
pub struct Reservation {
    ledger: String,
    number: u64,
    events: Vec<PrivacyEvent>,
    used: AtomicBool,
}

impl Reservation {
    /// The number of its entry.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The mechanisms that may be run.
    #[must_use]
    pub fn events(&self) -> &[PrivacyEvent] {
        &self.events
    }

    /// Takes the right to draw: a product calls it right before it draws its noise. The right is gone afterwards, whatever becomes of the product, because a second draw of the
    /// same mechanisms would be a second release.
    ///
    /// # Errors
    /// The reservation is for other mechanisms than `events`, or its noise was drawn already.
    pub fn begin(&self, events: &[PrivacyEvent]) -> Result<()> {
        if self.events != events {
            return Err(Error::Parameter { name: "reservation", problem: "is for other mechanisms than those of the plan".to_owned() });
        }
        if self.used.swap(true, Ordering::AcqRel) {
            let problem = "was used already: each reservation pays for one draw; reserve once more for another".to_owned();
            return Err(Error::Parameter { name: "reservation", problem });
        }
        Ok(())
    }
}

/// One reservation, as [`Statement`] lists it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reserved {
    /// The number of its entry.
    pub number: u64,
    /// When (RFC 3339, UTC).
    pub time: String,
    /// The product.
    pub product: String,
    /// The name of the policy.
    pub policy: String,
    /// ε that was declared.
    pub epsilon: f64,
    /// δ that was declared.
    pub delta: f64,
    /// μ, if it was charged to the Gaussian budget.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mu: Option<f64>,
    /// Whether the product was finished. What was not is spent as well.
    pub committed: bool,
    /// The mechanisms.
    pub events: Vec<PrivacyEvent>,
}

/// Where a ledger stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Statement {
    /// Name of the pool.
    pub pool: String,
    /// Identity of the ledger: 32 hexadecimal digits.
    pub id: String,
    /// When it was made (RFC 3339, UTC).
    pub created: String,
    /// Whether it is sealed with a key.
    pub sealed: bool,
    /// What may be spent in all.
    pub budget: Budget,
    /// What is spent, after the rule of the budget.
    pub spent: Amounts,
    /// What remains.
    pub remaining: Amounts,
    /// An upper bound on the ε of all mechanisms together at the δ of the budget, after the accountant. It holds if their noise was settled in advance: see
    /// [`Rule::Planned`]. Absent if no ε is enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accountant_epsilon: Option<f64>,
    /// The reservations, the oldest first.
    pub reservations: Vec<Reserved>,
    /// To be kept elsewhere.
    pub head: Head,
}

impl Ledger {
    /// Makes a ledger, which only its owner can read and write (mode 0600).
    ///
    /// # Errors
    /// There is a file of this name already (it is never overwritten), the name of the pool is no single line, or the file cannot be written.
    pub fn create(path: impl AsRef<Path>, pool: &str, budget: Budget) -> Result<Self> {
        Self::create_on(Arc::new(Disk), path.as_ref(), pool, budget, None)
    }

    /// Makes a ledger that is sealed with a key: only with it can entries be added or changed.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_sealed(path: impl AsRef<Path>, pool: &str, budget: Budget, key: &Key) -> Result<Self> {
        Self::create_on(Arc::new(Disk), path.as_ref(), pool, budget, Some(key))
    }

    /// Opens a ledger that is sealed with no key.
    ///
    /// # Errors
    /// There is none, others than its owner may write it, it is damaged or changed, or it is sealed.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_on(Arc::new(Disk), &resolved(path.as_ref()), None)
    }

    /// Opens a ledger that is sealed with this key.
    ///
    /// # Errors
    /// As [`Self::open`]; or it is sealed with another key or with none.
    pub fn open_sealed(path: impl AsRef<Path>, key: &Key) -> Result<Self> {
        Self::open_on(Arc::new(Disk), &resolved(path.as_ref()), Some(key))
    }

    pub(super) fn create_on(storage: Arc<dyn Storage>, path: &Path, pool: &str, budget: Budget, key: Option<&Key>) -> Result<Self> {
        check_name("pool", pool)?;
        let mut id = [0; 16];
        SysRng.try_fill_bytes(&mut id).map_err(|error| Error::io(path, std::io::Error::other(error)))?;
        let chain = Chain::new(key);
        let header = Header::new(pool, u128::from_le_bytes(id), now(), chain.is_sealed(), budget);
        let book = Book::begin(header, &chain);
        let ledger = Self { storage, path: path.to_owned(), chain, pool: None, seen: vec![book.head()], id: book.header.id.clone() };
        let _lock = ledger.lock()?;
        write(&*ledger.storage, path, book.text(), Former::Absent).map_err(|error| match error {
            Error::Io { source, .. } if source.kind() == ErrorKind::AlreadyExists => {
                Error::ledger(path, "the file exists already", "choose another name; a ledger is never overwritten")
            }
            other => other,
        })?;
        Ok(ledger)
    }

    pub(super) fn open_on(storage: Arc<dyn Storage>, path: &Path, key: Option<&Key>) -> Result<Self> {
        let mut ledger = Self { storage, path: path.to_owned(), chain: Chain::new(key), pool: None, seen: Vec::new(), id: String::new() };
        let book = ledger.read()?;
        ledger.id.clone_from(&book.header.id);
        ledger.seen.push(book.head());
        Ok(ledger)
    }

    /// The ledger, if it is that of this pool.
    ///
    /// # Errors
    /// It is that of another pool.
    pub fn expect_pool(mut self, pool: &str) -> Result<Self> {
        self.pool = Some(pool.to_owned());
        self.read()?;
        Ok(self)
    }

    /// The ledger, if it has passed through this state: it was not set back since.
    ///
    /// # Errors
    /// It has not.
    pub fn expect_head(mut self, head: Head) -> Result<Self> {
        self.seen.push(head);
        self.read()?;
        Ok(self)
    }

    /// Debits the ledger, and returns when that is durable: from then on the noise of these mechanisms may be drawn.
    ///
    /// # Errors
    /// [`Error::Refused`] if the budget has no room for it, with what is spent, asked and left; a ledger that is damaged, changed, set back or of another pool; mechanisms that
    /// cost more than was declared; a file that cannot be written (then the debit may stand in the ledger all the same).
    pub fn reserve(&mut self, spending: &Spending) -> Result<Reservation> {
        let (epsilon, delta) = spending.declared();
        if !loss::costs_at_most(spending.events(), epsilon.get(), delta.get())? {
            return Err(Error::Parameter {
                name: "epsilon",
                problem: format!("the mechanisms of {} cost more than ε = {} at δ = {}", spending.product(), epsilon.get(), delta.get()),
            });
        }
        let _lock = self.lock()?;
        let mut book = self.read()?;
        let debits: Vec<&Debit> = book.debits().map(|(_, debit, _)| debit).collect();
        let budget = book.header.budget;
        let Some(debit) = budget.admit(&debits, spending)? else {
            let (spent, remaining) = budget.balance(&debits)?;
            return Err(refusal(&book.header, spending, spent, remaining));
        };
        let number = book.push(now(), Some(debit), None, &self.chain);
        self.replace(&book)?;
        Ok(Reservation { ledger: self.id.clone(), number, events: spending.events().to_vec(), used: AtomicBool::new(false) })
    }

    /// Writes down that a reserved product was finished, and gives the new head.
    ///
    /// # Errors
    /// The reservation is of another ledger; and as [`Self::reserve`], but for the budget. The reservation is spent in any case.
    pub fn commit(&mut self, reservation: Reservation) -> Result<Head> {
        let Reservation { ledger, number, .. } = reservation;
        let _lock = self.lock()?;
        let mut book = self.read()?;
        let open = book.debits().any(|(entry, _, committed)| entry.number == number && !committed);
        if ledger != self.id || !open {
            return Err(Error::Parameter { name: "reservation", problem: "must be of this ledger and not committed yet".to_owned() });
        }
        book.push(now(), None, Some(number), &self.chain);
        self.replace(&book)?;
        Ok(book.head())
    }

    /// Where the ledger stands now.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn statement(&self) -> Result<Statement> {
        let book = self.read()?;
        let debits: Vec<&Debit> = book.debits().map(|(_, debit, _)| debit).collect();
        let budget = book.header.budget;
        let (spent, remaining) = budget.balance(&debits)?;
        let accountant = loss::epsilon(debits.iter().flat_map(|debit| &debit.events), budget.delta().get())?;
        let reservations = book.debits().map(|(entry, debit, committed)| Reserved {
            number: entry.number,
            time: entry.time.clone(),
            product: debit.product.clone(),
            policy: debit.policy.clone(),
            epsilon: debit.epsilon.get(),
            delta: debit.delta.get(),
            mu: debit.gaussian.map(|gaussian| gaussian.mu),
            committed,
            events: debit.events.clone(),
        });
        Ok(Statement {
            pool: book.header.pool.clone(),
            id: book.header.id.clone(),
            created: book.header.created.clone(),
            sealed: book.header.sealed,
            budget,
            spent,
            remaining,
            accountant_epsilon: accountant.is_finite().then_some(accountant),
            reservations: reservations.collect(),
            head: book.head(),
        })
    }

    fn lock(&self) -> Result<Box<dyn std::fmt::Debug>> {
        self.storage.lock(&self.path).map_err(|error| Error::io(&self.path, error))
    }

    /// The content, checked against everything that is known of it.
    fn read(&self) -> Result<Book> {
        let text = self.storage.read(&self.path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => {
                Error::ledger(&self.path, "there is no such file", "make one with the example `ledger` (init), or correct the path")
            }
            ErrorKind::InvalidData => {
                Error::ledger(&self.path, error.to_string(), "give the path of a ledger that only its owner may write")
            }
            _ => Error::io(&self.path, error),
        })?;
        let book = Book::read(text, &self.chain).map_err(|flaw| self.flawed(flaw))?;
        if self.pool.as_ref().is_some_and(|pool| *pool != book.header.pool) {
            return Err(Error::ledger(&self.path, "it is the ledger of another pool", "give the ledger of this pool"));
        }
        if (!self.id.is_empty() && self.id != book.header.id) || !self.seen.iter().all(|head| book.passed(head)) {
            let remedy = "find out who exchanged it; to go on, bring the later file back";
            return Err(Error::ledger(&self.path, "it was set back to an earlier state, or exchanged for another ledger", remedy));
        }
        Ok(book)
    }

    fn replace(&mut self, book: &Book) -> Result<()> {
        write(&*self.storage, &self.path, book.text(), Former::Replaced)?;
        self.seen = vec![book.head()];
        Ok(())
    }

    fn flawed(&self, flaw: Flaw) -> Error {
        let remedy = "nothing can be spent from it; find out what happened, and bring back the last good copy if no entry came after it";
        let (problem, remedy) = match flaw {
            Flaw::NotALedger => ("it is not a ledger".to_owned(), "give a file made by the example `ledger` (init)"),
            Flaw::Version => ("it was made by a later version".to_owned(), "use that version"),
            Flaw::NeedsKey => ("it is sealed with a key".to_owned(), "give the key that it was made with"),
            Flaw::NeedsNoKey => ("it is sealed with no key".to_owned(), "open it without one"),
            Flaw::Torn(line) => (format!("line {line} is cut off"), remedy),
            Flaw::Chain(1) if self.chain.is_sealed() => {
                ("it is sealed with another key, or line 1 was changed".to_owned(), "give the key that it was made with")
            }
            Flaw::Chain(line) => (format!("line {line} was changed, or a line before it was changed or removed"), remedy),
            Flaw::Content(line) => (format!("line {line} says what no ledger says"), remedy),
        };
        Error::ledger(&self.path, problem, remedy)
    }
}

/// The path without links: all names of a ledger share one lock, and its exchange does not replace a link.
fn resolved(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

fn now() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}

fn refusal(header: &Header, spending: &Spending, spent: Amounts, remaining: Amounts) -> Error {
    let show = |amounts: Amounts| {
        let mu = amounts.mu.map(|mu| format!(", μ = {mu:.4}")).unwrap_or_default();
        format!("ε = {}, δ = {}{mu}", amounts.epsilon, amounts.delta)
    };
    let (epsilon, delta) = spending.declared();
    let rule = match header.budget.rule() {
        Rule::Sums => "the ε and the δ of reservations add up",
        Rule::Gaussian { .. } => "the ε, the δ and the μ² of reservations add up",
        Rule::Planned => "the accountant composes all mechanisms",
    };
    Error::Refused {
        reasons: vec![format!(
            "the budget of pool {} has no room for product {}: spent {}; asked ε = {}, δ = {}; remaining {} ({rule}); ask for less",
            header.pool,
            spending.product(),
            show(spent),
            epsilon.get(),
            delta.get(),
            show(remaining),
        )],
    }
}
