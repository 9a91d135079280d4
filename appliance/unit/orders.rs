//! Carries out what the department commands, and answers.

use std::collections::VecDeque;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::runtime::Handle;
use tracing::{error, info, warn};

use super::duty::Duty;
use super::guard::Watched;
use super::refusals::Refusals;
use super::renewal::{self, Renewal};
use super::roll_back::RollBack;
use super::window::Window;
use crate::audit::{Audit, Event, Who};
use crate::command::{Act, Command, CommandResult, Commands, Judgement, Outcome, Snapshot};
use crate::console::{Aiming, LivePicture, Setup};
use crate::crypto::Digest;
use crate::delivery::{Delivery, Inbound};
use crate::enroll::Statement;
use crate::record::{Kind, NewRecord, Records};
use crate::system::{Clock, clock_status};
use crate::words::{CameraId, Moment, PersonName, RecordId};

/// The broker sends the unit's own memory before anything else; where it has none, commands wait no longer than this.
const MEMORY_PATIENCE: Duration = Duration::from_secs(5);
/// Commands that wait for it.
const WAITING_MOST: usize = 64;
/// A camera that streams shows its next picture well within this.
const PICTURE_PATIENCE: Duration = Duration::from_secs(3);

/// The way of a command from the broker to its result.
pub struct Orders {
    pub commands: Commands,
    pub cameras: Arc<Vec<Watched>>,
    pub window: Arc<Window>,
    pub renewal: Arc<Renewal>,
    pub roll_back: RollBack,
    pub duty: Arc<Duty>,
    pub records: Arc<Records>,
    pub audit: Arc<Audit>,
    pub delivery: Arc<Delivery>,
    pub clock: Arc<dyn Clock>,
    pub waiting: Waiting,
    /// Commands whose outcome comes later.
    pub under_way: Vec<UnderWay>,
    pub refusals: Refusals,
}

/// A certificate that is being tried.
pub struct UnderWay {
    command: Command,
    by: PersonName,
    outcome: mpsc::Receiver<renewal::Outcome>,
}

/// What is told of a command that was carried out.
struct Answer {
    said: String,
    snapshot: Option<Snapshot>,
    request: Option<Statement>,
}

impl Answer {
    fn of(said: impl Into<String>) -> Self {
        Self { said: said.into(), snapshot: None, request: None }
    }
}

/// Commands that came before the unit's memory of commands.
#[derive(Default)]
pub enum Waiting {
    #[default]
    Nothing,
    Since(Moment, VecDeque<Inbound>),
    /// The memory is there, or there is none.
    Over,
}

impl Orders {
    pub fn take(&mut self, order: Inbound, runtime: &Handle) {
        let now = self.clock.now();
        match &mut self.waiting {
            Waiting::Over => self.judge(&order.payload, runtime),
            Waiting::Since(_, waiting) if waiting.len() >= WAITING_MOST => {
                self.refuse("too many commands came at once".to_owned());
            }
            Waiting::Since(_, waiting) => waiting.push_back(order),
            Waiting::Nothing => self.waiting = Waiting::Since(now, VecDeque::from([order])),
        }
    }

    /// Takes what the broker kept of commands.
    pub fn recall(&mut self, kept: &[u8], runtime: &Handle) {
        match self.commands.recall(kept) {
            Ok(true) => {}
            Ok(false) => self.refuse("what the broker kept of commands does not open".to_owned()),
            Err(error) => error!(%error, "what the broker kept of commands could not be noted"),
        }
        self.go_on(runtime);
    }

    /// To be called about once a second.
    pub fn tick(&mut self, runtime: &Handle) {
        if let Waiting::Since(since, _) = &self.waiting
            && self.clock.now().since(since) >= MEMORY_PATIENCE
        {
            self.go_on(runtime);
        }
        if let Some(came) = self.roll_back.tick(self.delivery.is_answered()) {
            let how = if came.went_back { Outcome::Done } else { Outcome::Refused };
            let order = came.order;
            let what = if came.went_back { "keeps" } else { "leaves" };
            let what = format!("{what} the configuration from before the latest change");
            self.audit.note(Who::Unit, Event::ConfigurationChanged { what });
            let now = self.clock.now().wall;
            self.close(&order.command, &CommandResult::of(&order.command, &order.by, how, &came.said, now));
        }
        for UnderWay { command, by, outcome } in std::mem::take(&mut self.under_way) {
            match outcome.try_recv() {
                Ok(outcome) => {
                    let how = match outcome {
                        renewal::Outcome::InUse => Outcome::Done,
                        _ => Outcome::Refused,
                    };
                    let now = self.clock.now().wall;
                    self.close(&command, &CommandResult::of(&command, &by, how, &outcome.sentence(), now));
                }
                Err(mpsc::TryRecvError::Empty) => self.under_way.push(UnderWay { command, by, outcome }),
                // The unit is stopping; whoever sends it again is told that it was cut off.
                Err(mpsc::TryRecvError::Disconnected) => {}
            }
        }
    }

    fn go_on(&mut self, runtime: &Handle) {
        let waiting = std::mem::replace(&mut self.waiting, Waiting::Over);
        if !matches!(waiting, Waiting::Over) {
            // Once, since what the unit publishes there comes back to it.
            self.delivery.remember_commands(self.commands.for_the_broker());
        }
        if let Waiting::Since(_, waiting) = waiting {
            waiting.iter().for_each(|order| self.judge(&order.payload, runtime));
        }
    }

    fn judge(&mut self, payload: &[u8], runtime: &Handle) {
        match self.commands.judge(payload, self.clock.now().wall, clock_status()) {
            Judgement::CarryOut { command, by } => {
                // Before it acts, so that the broker's copy is the older one for moments only.
                self.delivery.remember_commands(self.commands.for_the_broker());
                info!(%by, what = command.act.words(), nonce = %command.nonce, "a command");
                let what = command.act.words();
                let reason = command.reason.as_str().to_owned();
                self.audit.note(
                    Who::Person(by.clone()),
                    Event::CommandTaken { command: command.nonce, what, reason },
                );
                self.carry_out(command, by, runtime);
            }
            Judgement::Again(result)
                if self.roll_back.is_open(result.nonce)
                    || self.under_way.iter().any(|open| open.command.nonce == result.nonce) => {}
            Judgement::Again(result) => {
                self.refuse(format!("the command {} came before and is not carried out again", result.nonce));
                self.answer(&result);
            }
            Judgement::Refused { why, answer } => {
                self.refuse(why.to_string());
                if let Some(answer) = answer {
                    self.answer(&answer);
                }
            }
        }
    }

    /// Keeps, notes and sends what came of a command.
    fn close(&mut self, command: &Command, result: &CommandResult) {
        if let Err(error) = self.commands.done(command, result) {
            error!(%error, "the result of a command could not be kept");
        }
        self.audit.note(
            Who::Unit,
            Event::CommandAnswered {
                command: command.nonce,
                outcome: if result.outcome == Outcome::Done { "done" } else { "refused" }.to_owned(),
                said: result.said.clone(),
                picture: result.snapshot.as_ref().map(|snapshot| snapshot.picture),
            },
        );
        self.answer(result);
    }

    fn carry_out(&mut self, command: Command, by: PersonName, runtime: &Handle) {
        let reason = command.reason.as_str();
        let answer = match &command.act {
            Act::TakeOut {} => {
                self.duty.take_out(&by, reason);
                Ok(Answer::of("The unit is out of service."))
            }
            Act::Return {} => match self.duty.return_to_service(&by, reason) {
                Ok(()) => Ok(Answer::of(format!("The unit is {} again.", self.duty.report().state))),
                Err(refused) => Err(format!("The unit stays out of service: {refused}")),
            },
            Act::VerifyAim { camera } => self.verify_aim(camera.as_ref(), &by).map(Answer::of),
            Act::SendSnapshot { camera } => self.snapshot(camera.as_ref(), runtime).map(|snapshot| Answer {
                snapshot: Some(snapshot.clone()),
                ..Answer::of(format!("The picture of {} is on its way.", snapshot.camera))
            }),
            // The program starts anew for it, which would take the network back before anybody could keep it.
            Act::RollBackConfiguration {} if self.window.network_trial_until().is_some() => Err(
                "Another network is on trial at the console: send it again once that is kept or taken back."
                    .to_owned(),
            ),
            Act::RollBackConfiguration {} => match self.roll_back.start(&mut self.commands, &command, &by) {
                Ok(digest) => {
                    let what =
                        format!("tries the configuration from before the latest change (SHA-256 {digest})");
                    return self.audit.note(Who::Person(by), Event::ConfigurationChanged { what });
                }
                Err(refused) => Err(refused),
            },
            Act::RequestCertificate {} => match self.renewal.signed_request(&by) {
                Ok(signed) => Ok(Answer {
                    request: Some(signed),
                    ..Answer::of("A request waits to be signed; its key stays on the unit.")
                }),
                Err(refused) => Err(refused.0),
            },
            Act::InstallCertificate(offer) => match self.renewal.install(offer, &by) {
                Ok(outcome) => return self.under_way.push(UnderWay { command, by, outcome }),
                Err(refused) => Err(refused.0),
            },
        };
        let now = self.clock.now().wall;
        let result = match answer {
            Ok(Answer { said, snapshot, request }) => CommandResult {
                snapshot,
                request,
                ..CommandResult::of(&command, &by, Outcome::Done, &said, now)
            },
            Err(said) => CommandResult::of(&command, &by, Outcome::Refused, &said, now),
        };
        self.close(&command, &result);
    }

    fn verify_aim(&self, camera: Option<&CameraId>, by: &PersonName) -> Result<String, String> {
        let Some(camera) = camera else {
            self.window.verify_aims(by).map_err(|refused| refused.0)?;
            return Ok("The present view of every camera is its reference now.".to_owned());
        };
        self.window.verify_aim(camera, by).map_err(|refused| refused.0)?;
        Ok(format!("The present view of {camera} is its reference now."))
    }

    /// What a camera sees now, as a record that is delivered like any picture of a hit: the policy on reads without
    /// a match is not about what a person asked for by name.
    fn snapshot(&self, camera: Option<&CameraId>, runtime: &Handle) -> Result<Snapshot, String> {
        let camera = self.camera(camera)?;
        let name = camera.sight.camera.clone();
        let no_picture = || format!("{name} gives no picture now.");
        let picture = self.next_picture(camera, runtime).ok_or_else(no_picture)?;
        let snapshot =
            Snapshot { camera: name.clone(), picture: RecordId::new(), sha256: Digest::of(&picture.jpeg) };
        let record = NewRecord::of(Kind::Picture, self.clock.now(), picture.jpeg.to_vec());
        let record = NewRecord { id: snapshot.picture, hit: true, ..record };
        let unstored = |error| format!("The picture could not be stored: {error}.");
        self.records.store(record).map_err(unstored)?;
        Ok(snapshot)
    }

    /// Pictures are encoded only while somebody looks, so this looks.
    fn next_picture(&self, camera: &Watched, runtime: &Handle) -> Option<Arc<LivePicture>> {
        let mut live = camera.sight.live();
        live.mark_unchanged();
        let shown = runtime.block_on(async { tokio::time::timeout(PICTURE_PATIENCE, live.changed()).await });
        shown.ok()?.ok()?;
        live.borrow().clone()
    }

    fn camera(&self, name: Option<&CameraId>) -> Result<&Watched, String> {
        let found = match name {
            Some(name) => self.cameras.iter().find(|camera| camera.sight.camera == *name),
            None => self.cameras.first(),
        };
        found.ok_or_else(|| {
            let names: Vec<&str> = self.cameras.iter().map(|camera| camera.sight.camera.as_str()).collect();
            format!("The unit has no such camera; it has {}.", names.join(", "))
        })
    }

    fn answer(&self, result: &CommandResult) {
        if !self.delivery.answer(result.to_json()) {
            warn!(nonce = %result.nonce, "the result of a command is not sent: too many wait for the link");
        }
    }

    fn refuse(&mut self, why: String) {
        if let Some(why) = self.refusals.tell("a command", why, self.clock.now()) {
            self.audit.note(Who::Unit, Event::CommandRefused { why });
        }
    }
}
