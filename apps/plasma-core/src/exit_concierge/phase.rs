//! The words of the concierge: phases, steps, and who can do something. Their names are stable: clients compare them.

use crate::wire::ExitId;
use std::fmt;

macro_rules! names {
    ($(#[$doc:meta])* $enum:ident { $($(#[$variant_doc:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $enum {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $enum {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The stable name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The one with this name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|known| known.name() == name)
            }
        }

        impl fmt::Display for $enum {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

names! {
    /// The two ways to leave.
    ExitKind {
        /// One output of an included transaction.
        Standard = "standard",
        /// A transaction whose inclusion is not known.
        InFlight = "in_flight",
    }
}

names! {
    /// How far an exit is. (`C1`, `C2`)
    ExitPhase {
        /// Standard: its period runs.
        Waiting = "waiting",
        /// In flight, first half: owners can join, competitors can be shown.
        PiggybackWindow = "piggyback_window",
        /// In flight, first half over: wrong challenges can be answered, wrong piggybacks be blocked.
        ResponseWindow = "response_window",
        /// In flight, first half over, and nobody joined: it will not be paid.
        Deletable = "deletable",
        /// Standard: its output was spent or never was. It is paid unless somebody challenges it.
        Invalid = "invalid",
        /// Standard: its output left with another exit, so that nothing is paid. The bond comes back.
        Superseded = "superseded",
        /// Whoever processes the queue gets something of it paid now.
        Due = "due",
        /// Standard, over: somebody proved that the output was spent.
        Challenged = "challenged",
        /// Over: the money is on the root chain.
        Paid = "paid",
        /// Over: money left that belonged to somebody else.
        PaidWrongly = "paid_wrongly",
        /// Standard, over: its output had left with another exit, so nothing was paid. The bond came back.
        Omitted = "omitted",
        /// In flight, over, and nothing was paid.
        Unpaid = "unpaid",
        /// In flight, over: deleted, because nobody joined.
        Deleted = "deleted",
    }
}

names! {
    /// How an input or output of an in-flight exit stands. (`C3`)
    SlotPhase {
        /// Its owner can join.
        Open = "open",
        /// Its owner could join, but it was spent: the piggyback would be blocked, and its bond lost.
        Spent = "spent",
        /// Its owner did not join, and cannot any more.
        Missed = "missed",
        /// Its owner joined.
        Joined = "joined",
        /// Its owner joined although it was spent: it can be blocked.
        Invalid = "invalid",
        /// Somebody proved that it was spent: it pays nothing.
        Blocked = "blocked",
        /// It was paid.
        Paid = "paid",
        /// It was paid, and should not have been.
        PaidWrongly = "paid_wrongly",
        /// The other side was paid, or nothing: the bond came back.
        Returned = "returned",
    }
}

names! {
    /// What can be done about an exit. (`C6`, `C7`)
    Step {
        /// Nothing but wait.
        Wait = "wait",
        /// Join an in-flight exit with an input.
        PiggybackInput = "piggyback_input",
        /// Join an in-flight exit with an output.
        PiggybackOutput = "piggyback_output",
        /// Prove that the output of a standard exit was spent.
        Challenge = "challenge",
        /// Show a competitor of an in-flight transaction.
        ChallengeCanonicity = "challenge_canonicity",
        /// Prove that a piggybacked input or output was spent.
        ChallengePiggyback = "challenge_piggyback",
        /// Show where an in-flight transaction is included.
        Respond = "respond",
        /// Have the queue paid out.
        Process = "process",
        /// Delete an in-flight exit that nobody joined.
        Delete = "delete",
        /// Leave the chain: this can not be undone.
        Leave = "leave",
        /// It is over.
        Nothing = "nothing",
    }
}

names! {
    /// Who can do something.
    Mover {
        /// Anybody.
        Anybody = "anybody",
        /// Owners of inputs that did not join yet.
        InputOwners = "input_owners",
        /// Owners of outputs that did not join yet.
        OutputOwners = "output_owners",
    }
}

impl ExitKind {
    /// What an exit id names.
    pub fn of(exit_id: ExitId) -> Self {
        if exit_id.is_in_flight() { Self::InFlight } else { Self::Standard }
    }
}

impl ExitPhase {
    /// Whether the exit is over.
    pub const fn is_over(self) -> bool {
        matches!(
            self,
            Self::Challenged
                | Self::Paid
                | Self::PaidWrongly
                | Self::Omitted
                | Self::Unpaid
                | Self::Deleted
        )
    }

    /// Whether an exit of this kind has this phase at some time.
    pub const fn is_of(self, kind: ExitKind) -> bool {
        match self {
            Self::Due | Self::Paid | Self::PaidWrongly => true,
            Self::Waiting | Self::Invalid | Self::Superseded | Self::Challenged | Self::Omitted => {
                matches!(kind, ExitKind::Standard)
            }
            Self::PiggybackWindow
            | Self::ResponseWindow
            | Self::Deletable
            | Self::Unpaid
            | Self::Deleted => matches!(kind, ExitKind::InFlight),
        }
    }

    /// Whether time alone leads from this phase to that one. (`C2`)
    pub const fn becomes_with_time(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Waiting | Self::PiggybackWindow | Self::ResponseWindow, Self::Due)
                | (Self::PiggybackWindow, Self::ResponseWindow | Self::Deletable)
        )
    }

    /// Whether time, what is read from the root chain, or what is learned about outputs leads from this phase to that one, the start
    /// of another exit and reorganisations apart. (`C2`)
    pub fn may_become(self, next: Self) -> bool {
        let is_open_standard = matches!(
            (self, next),
            // A spend that only an in-flight exit told of is none any more when that exit is deleted.
            (Self::Invalid | Self::Superseded, Self::Waiting)
                | (Self::Waiting | Self::Invalid | Self::Superseded, Self::Due)
                | (Self::Waiting | Self::Due | Self::Superseded, Self::Invalid)
                | (Self::Waiting | Self::Due | Self::Invalid, Self::Superseded)
        );
        let is_open_in_flight = matches!(
            (self, next),
            // A piggyback may be heard of after the first half is over; and after one token the next one waits.
            (Self::Deletable, Self::ResponseWindow | Self::Due) | (Self::Due, Self::ResponseWindow)
        );
        let ends = next.is_over()
            && ExitKind::ALL.iter().any(|kind| self.is_of(*kind) && next.is_of(*kind));
        // The ledger is asked about a payment after it was heard of.
        let is_told_wrong = matches!((self, next), (Self::Paid, Self::PaidWrongly));
        // The omission of a challenged exit can be heard of before the challenge.
        let is_told_late = matches!((self, next), (Self::Omitted, Self::Challenged));
        self == next
            || is_told_wrong
            || is_told_late
            || self.becomes_with_time(next)
            || is_open_standard
            || is_open_in_flight
            || !self.is_over() && ends
    }
}
