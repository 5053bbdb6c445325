//! What the Sentinel says to the contracts: one typed call for each task, and its bytes for the store.
//!
//! A call must never carry value: the key can only pay gas (`S12`). The shell encodes a call for the contracts; the bytes made here
//! are only for the store, so that after a restart the very same transaction can be sent again (`S3`).

use crate::exit_processor::ChallengeData;
use crate::wire::rlp::{self, Items};
use crate::wire::{Address, ExitId, InclusionProof, Signature, U256, UtxoPos};
use ::rlp::RlpStream;
use thiserror::Error;

/// A function of the contracts and its arguments. Transactions are unsigned bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `challengeStandardExit`
    ChallengeStandardExit(ChallengeData),
    /// `challengeInFlightExitNotCanonical`
    ChallengeInFlightExitNotCanonical(Box<CompetitorProof>),
    /// `respondToNonCanonicalChallenge`
    RespondToNonCanonicalChallenge(Box<CanonicityProof>),
    /// `challengeInFlightExitInputSpent`
    ChallengeInFlightExitInputSpent(Box<InputSpentProof>),
    /// `challengeInFlightExitOutputSpent`
    ChallengeInFlightExitOutputSpent(Box<OutputSpentProof>),
    /// `deleteNonPiggybackedInFlightExit`
    DeleteNonPiggybackedInFlightExit {
        /// Which exit.
        exit_id: ExitId,
    },
    /// `processExits`
    ProcessExits {
        /// The vault of the queue.
        vault_id: u64,
        /// The currency of the queue.
        token: Address,
        /// What has to be the first of the queue, `None` for whatever is.
        top_exit_id: Option<ExitId>,
        /// At most so many.
        exits_max: u64,
    },
}

/// Another transaction that spends an input of the in-flight one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompetitorProof {
    /// The transaction that made the contested output.
    pub input_tx: Box<[u8]>,
    /// Where the contested output was made.
    pub input_position: UtxoPos,
    /// The exiting transaction.
    pub in_flight_tx: Box<[u8]>,
    /// Which of its inputs is contested.
    pub in_flight_input_index: u16,
    /// The competitor.
    pub competing_tx: Box<[u8]>,
    /// Which of its inputs spends the contested output.
    pub competing_input_index: u16,
    /// Where the competitor was included, and the proof; `None` when it was not.
    pub included: Option<(UtxoPos, InclusionProof)>,
    /// The owner's signature of the competitor, with low `s`.
    pub competing_signature: Signature,
}

/// The in-flight transaction was included, and earlier than its competitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CanonicityProof {
    /// The exiting transaction.
    pub in_flight_tx: Box<[u8]>,
    /// Where it was included.
    pub position: UtxoPos,
    /// The proof of that.
    pub proof: InclusionProof,
}

/// Another transaction spent an input that was piggybacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSpentProof {
    /// The exiting transaction.
    pub in_flight_tx: Box<[u8]>,
    /// The piggybacked input.
    pub in_flight_input_index: u16,
    /// The transaction that spent it.
    pub challenging_tx: Box<[u8]>,
    /// With which of its inputs.
    pub challenging_input_index: u16,
    /// The owner's signature of that transaction, with low `s`.
    pub challenging_signature: Signature,
    /// The transaction that made the input.
    pub input_tx: Box<[u8]>,
    /// Where the input was made.
    pub input_position: UtxoPos,
}

/// A transaction spent an output that was piggybacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputSpentProof {
    /// The exiting transaction.
    pub in_flight_tx: Box<[u8]>,
    /// Proof that it was included.
    pub in_flight_proof: InclusionProof,
    /// The piggybacked output, where it was included.
    pub output_position: UtxoPos,
    /// The transaction that spent it.
    pub challenging_tx: Box<[u8]>,
    /// With which of its inputs.
    pub challenging_input_index: u16,
    /// The owner's signature of that transaction, with low `s`.
    pub challenging_signature: Signature,
}

/// The bytes are no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not the bytes of a call")]
pub struct MalformedCall;

impl Call {
    /// The name of the function, for logs and the status.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::ChallengeStandardExit(_) => "challengeStandardExit",
            Self::ChallengeInFlightExitNotCanonical(_) => "challengeInFlightExitNotCanonical",
            Self::RespondToNonCanonicalChallenge(_) => "respondToNonCanonicalChallenge",
            Self::ChallengeInFlightExitInputSpent(_) => "challengeInFlightExitInputSpent",
            Self::ChallengeInFlightExitOutputSpent(_) => "challengeInFlightExitOutputSpent",
            Self::DeleteNonPiggybackedInFlightExit { .. } => "deleteNonPiggybackedInFlightExit",
            Self::ProcessExits { .. } => "processExits",
        }
    }

    /// The bytes for the store: an RLP list that begins with the kind of call.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer(RlpStream::new());
        out.0.begin_unbounded_list();
        match self {
            Self::ChallengeStandardExit(data) => {
                out.uint(0_u8).exit_id(data.exit_id).bytes(&data.exiting_tx).bytes(&data.tx_bytes);
                out.uint(data.input_index).signature(data.signature);
            }
            Self::ChallengeInFlightExitNotCanonical(proof) => {
                out.uint(1_u8).bytes(&proof.input_tx).position(proof.input_position);
                out.bytes(&proof.in_flight_tx).uint(proof.in_flight_input_index);
                out.bytes(&proof.competing_tx).uint(proof.competing_input_index);
                out.signature(proof.competing_signature);
                if let Some((position, proof)) = &proof.included {
                    out.position(*position).proof(proof);
                }
            }
            Self::RespondToNonCanonicalChallenge(proof) => {
                out.uint(2_u8)
                    .bytes(&proof.in_flight_tx)
                    .position(proof.position)
                    .proof(&proof.proof);
            }
            Self::ChallengeInFlightExitInputSpent(proof) => {
                out.uint(3_u8).bytes(&proof.in_flight_tx).uint(proof.in_flight_input_index);
                out.bytes(&proof.challenging_tx).uint(proof.challenging_input_index);
                out.signature(proof.challenging_signature);
                out.bytes(&proof.input_tx).position(proof.input_position);
            }
            Self::ChallengeInFlightExitOutputSpent(proof) => {
                out.uint(4_u8).bytes(&proof.in_flight_tx).proof(&proof.in_flight_proof);
                out.position(proof.output_position).bytes(&proof.challenging_tx);
                out.uint(proof.challenging_input_index).signature(proof.challenging_signature);
            }
            Self::DeleteNonPiggybackedInFlightExit { exit_id } => {
                out.uint(5_u8).exit_id(*exit_id);
            }
            Self::ProcessExits { vault_id, token, top_exit_id, exits_max } => {
                out.uint(6_u8).uint(*vault_id).bytes(token.as_bytes()).uint(*exits_max);
                if let Some(exit_id) = top_exit_id {
                    out.exit_id(*exit_id);
                }
            }
        }
        out.0.finalize_unbounded_list();
        out.0.out().to_vec()
    }

    /// Reads [`Self::to_bytes`].
    ///
    /// # Errors
    /// [`MalformedCall`] for everything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MalformedCall> {
        let call = rlp::check(bytes).ok().and_then(|item| Reader(item.list()?).call());
        call.filter(|call| call.to_bytes() == bytes).ok_or(MalformedCall)
    }
}

struct Writer(RlpStream);

impl Writer {
    fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.append(&bytes);
        self
    }

    fn uint(&mut self, number: impl Into<u64>) -> &mut Self {
        self.0.append(&number.into());
        self
    }

    fn exit_id(&mut self, exit_id: ExitId) -> &mut Self {
        self.bytes(exit_id.as_bytes())
    }

    fn position(&mut self, position: UtxoPos) -> &mut Self {
        self.0.append(&position.encode());
        self
    }

    fn signature(&mut self, signature: Signature) -> &mut Self {
        self.bytes(signature.as_bytes())
    }

    fn proof(&mut self, proof: &InclusionProof) -> &mut Self {
        self.bytes(&proof.to_bytes())
    }
}

struct Reader<'a>(Items<'a>);

impl Reader<'_> {
    fn call(&mut self) -> Option<Call> {
        let kind: u8 = self.uint()?;
        Some(match kind {
            0 => Call::ChallengeStandardExit(ChallengeData {
                exit_id: self.exit_id()?,
                exiting_tx: self.bytes()?,
                tx_bytes: self.bytes()?,
                input_index: self.uint()?,
                signature: self.signature()?,
            }),
            1 => Call::ChallengeInFlightExitNotCanonical(Box::new(CompetitorProof {
                input_tx: self.bytes()?,
                input_position: self.position()?,
                in_flight_tx: self.bytes()?,
                in_flight_input_index: self.uint()?,
                competing_tx: self.bytes()?,
                competing_input_index: self.uint()?,
                competing_signature: self.signature()?,
                included: match self.is_at_end() {
                    true => None,
                    false => Some((self.position()?, self.proof()?)),
                },
            })),
            2 => Call::RespondToNonCanonicalChallenge(Box::new(CanonicityProof {
                in_flight_tx: self.bytes()?,
                position: self.position()?,
                proof: self.proof()?,
            })),
            3 => Call::ChallengeInFlightExitInputSpent(Box::new(InputSpentProof {
                in_flight_tx: self.bytes()?,
                in_flight_input_index: self.uint()?,
                challenging_tx: self.bytes()?,
                challenging_input_index: self.uint()?,
                challenging_signature: self.signature()?,
                input_tx: self.bytes()?,
                input_position: self.position()?,
            })),
            4 => Call::ChallengeInFlightExitOutputSpent(Box::new(OutputSpentProof {
                in_flight_tx: self.bytes()?,
                in_flight_proof: self.proof()?,
                output_position: self.position()?,
                challenging_tx: self.bytes()?,
                challenging_input_index: self.uint()?,
                challenging_signature: self.signature()?,
            })),
            5 => Call::DeleteNonPiggybackedInFlightExit { exit_id: self.exit_id()? },
            6 => Call::ProcessExits {
                vault_id: self.uint()?,
                token: Address::from(*self.0.next()?.fixed::<20>()?),
                exits_max: self.uint()?,
                top_exit_id: match self.is_at_end() {
                    true => None,
                    false => Some(self.exit_id()?),
                },
            },
            _ => return None,
        })
    }

    fn is_at_end(&self) -> bool {
        self.0.rest().is_empty()
    }

    fn bytes(&mut self) -> Option<Box<[u8]>> {
        self.0.next()?.string().map(Into::into)
    }

    fn uint<T: TryFrom<U256>>(&mut self) -> Option<T> {
        T::try_from(self.0.next()?.uint().ok()?).ok()
    }

    fn exit_id(&mut self) -> Option<ExitId> {
        self.0.next()?.fixed().copied().map(ExitId::from_bytes)
    }

    fn position(&mut self) -> Option<UtxoPos> {
        UtxoPos::decode_u256(self.0.next()?.uint().ok()?)
    }

    fn signature(&mut self) -> Option<Signature> {
        self.0.next()?.fixed().copied().map(Signature::from_bytes)
    }

    fn proof(&mut self) -> Option<InclusionProof> {
        InclusionProof::from_bytes(self.0.next()?.string()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes() -> impl Strategy<Value = Box<[u8]>> {
        prop::collection::vec(any::<u8>(), 0..300).prop_map(Into::into)
    }

    fn exit_id() -> impl Strategy<Value = ExitId> {
        any::<[u8; 20]>().prop_map(ExitId::from_bytes)
    }

    fn position() -> impl Strategy<Value = UtxoPos> {
        (0..u128::from(u64::MAX)).prop_map(|number| UtxoPos::decode(number).unwrap())
    }

    fn signature() -> impl Strategy<Value = Signature> {
        any::<([u8; 32], [u8; 32], u8)>().prop_map(|(r, s, v)| {
            let bytes = [&r[..], &s[..], &[v]].concat();
            Signature::from_bytes(bytes.try_into().unwrap())
        })
    }

    fn proof() -> impl Strategy<Value = InclusionProof> {
        any::<u8>().prop_map(|byte| InclusionProof::from_bytes(&[byte; 512]).unwrap())
    }

    fn short_call() -> impl Strategy<Value = Call> {
        prop_oneof![
            (bytes(), position(), proof()).prop_map(|(in_flight_tx, position, proof)| {
                let proof = CanonicityProof { in_flight_tx, position, proof };
                Call::RespondToNonCanonicalChallenge(Box::new(proof))
            }),
            exit_id().prop_map(|exit_id| Call::DeleteNonPiggybackedInFlightExit { exit_id }),
            (any::<(u64, u64)>(), any::<[u8; 20]>(), prop::option::of(exit_id())).prop_map(
                |((vault_id, exits_max), token, top_exit_id)| Call::ProcessExits {
                    vault_id,
                    token: token.into(),
                    top_exit_id,
                    exits_max,
                }
            ),
        ]
    }

    fn call() -> impl Strategy<Value = Call> {
        prop_oneof![
            (exit_id(), bytes(), bytes(), any::<u16>(), signature()).prop_map(
                |(exit_id, exiting_tx, tx_bytes, input_index, signature)| {
                    let data =
                        ChallengeData { exit_id, exiting_tx, tx_bytes, input_index, signature };
                    Call::ChallengeStandardExit(data)
                }
            ),
            (
                [bytes(), bytes(), bytes()],
                position(),
                any::<(u16, u16)>(),
                prop::option::of((position(), proof())),
                signature()
            )
                .prop_map(
                    |(txs, input_position, (own, other), included, competing_signature)| {
                        let [input_tx, in_flight_tx, competing_tx] = txs;
                        Call::ChallengeInFlightExitNotCanonical(Box::new(CompetitorProof {
                            input_tx,
                            input_position,
                            in_flight_tx,
                            in_flight_input_index: own,
                            competing_tx,
                            competing_input_index: other,
                            included,
                            competing_signature,
                        }))
                    }
                ),
            ([bytes(), bytes(), bytes()], position(), any::<(u16, u16)>(), signature()).prop_map(
                |(txs, input_position, (own, other), challenging_signature)| {
                    let [in_flight_tx, challenging_tx, input_tx] = txs;
                    Call::ChallengeInFlightExitInputSpent(Box::new(InputSpentProof {
                        in_flight_tx,
                        in_flight_input_index: own,
                        challenging_tx,
                        challenging_input_index: other,
                        challenging_signature,
                        input_tx,
                        input_position,
                    }))
                }
            ),
            ([bytes(), bytes()], position(), any::<u16>(), signature(), proof()).prop_map(
                |(txs, output_position, challenging_input_index, signature, proof)| {
                    let [in_flight_tx, challenging_tx] = txs;
                    Call::ChallengeInFlightExitOutputSpent(Box::new(OutputSpentProof {
                        in_flight_tx,
                        in_flight_proof: proof,
                        output_position,
                        challenging_tx,
                        challenging_input_index,
                        challenging_signature: signature,
                    }))
                }
            ),
            short_call(),
        ]
    }

    proptest! {
        #[test]
        fn every_call_comes_back_from_its_bytes(call in call()) {
            prop_assert_eq!(Call::from_bytes(&call.to_bytes()), Ok(call));
        }

        #[test]
        fn damaged_bytes_are_refused_or_another_call(
            call in call(), at in any::<prop::sample::Index>(), byte: u8, cut: bool,
        ) {
            let mut bytes = call.to_bytes();
            let at = at.index(bytes.len());
            if cut { bytes.truncate(at); } else { bytes[at] = byte; }
            if let Ok(other) = Call::from_bytes(&bytes) {
                prop_assert_eq!(other.to_bytes(), bytes);
            }
        }
    }
}
