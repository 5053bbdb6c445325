//! `exit.get` and `exit.all`: open exits from the board that the guard publishes, closed ones from the store, all found by key.
//!
//! It contains no rule: [`ExitCase`] says how far an exit is.

use plasma_core::exit_concierge::{ExitBoard, ExitCase, ExitClock, ExitKind};
use plasma_core::wire::{ExitId, UtxoPos};
use plasma_rpc::watcher::{EXIT_PAGE_LEN_MAX, Exit, ExitAllParams, ExitGetParams, ExitPage};
use plasma_store::{Store, StoreError};
use std::sync::Arc;

/// Most exits that are looked at in the store for one page: filters can leave out all of them.
const STORED_EXAMINED_MAX: usize = 500;
/// Most exits that are looked at in memory for one page.
const OPEN_EXAMINED_MAX: usize = 20_000;

/// Everything that answers are made of.
pub(crate) struct Exits<'a> {
    pub(crate) board: Arc<ExitBoard>,
    pub(crate) store: &'a Store,
    pub(crate) clock: ExitClock,
}

impl Exits<'_> {
    /// One exit; `None` when none is known.
    pub(crate) fn get(&self, params: &ExitGetParams) -> Result<Option<Exit>, StoreError> {
        let exit_id = match (params.exit_id, params.utxo_pos) {
            (Some(number), _) => {
                Some(ExitId::from_u256(number)).filter(|exit_id| exit_id.to_u256() == number)
            }
            (None, Some(number)) => match UtxoPos::decode_u256(number) {
                Some(position) => self.store.standard_exit(position)?.map(|exit| exit.exit_id),
                None => None,
            },
            (None, None) => None,
        };
        let case = exit_id.map_or(Ok(None), |exit_id| self.case(exit_id))?;
        Ok(case.map(|case| self.shown(&case, params.address)))
    }

    /// A page of exits, in the order of their ids.
    pub(crate) fn all(&self, params: &ExitAllParams) -> Result<ExitPage, StoreError> {
        let limit = params.limit.unwrap_or(EXIT_PAGE_LEN_MAX).min(EXIT_PAGE_LEN_MAX);
        let after = match params.cursor {
            // Nothing lies behind what is no exit id.
            Some(number) if ExitId::from_u256(number).to_u256() != number => {
                return Ok(ExitPage::default());
            }
            Some(number) => Some(ExitId::from_u256(number)),
            None => None,
        };
        let mut page = Page { limit, exits: Vec::new(), last: None };
        let is_whole = match params.address {
            None => {
                let open = self.board.after(after);
                let mut open = open.take(OPEN_EXAMINED_MAX.saturating_add(1));
                let examined = open.by_ref().take(OPEN_EXAMINED_MAX);
                self.fill(&mut page, examined.cloned().map(Ok), params)? && open.next().is_none()
            }
            Some(address) => {
                let ids = self.store.exits_of(address, after, STORED_EXAMINED_MAX)?;
                let is_end = ids.len() < STORED_EXAMINED_MAX;
                let cases = ids.into_iter().filter_map(|exit_id| self.case(exit_id).transpose());
                self.fill(&mut page, cases, params)? && is_end
            }
        };
        let cursor = page.last.filter(|_| !is_whole);
        Ok(ExitPage { exits: page.exits, cursor })
    }

    /// Takes what fits; says whether that was everything.
    fn fill(
        &self,
        page: &mut Page,
        cases: impl Iterator<Item = Result<Arc<ExitCase>, StoreError>>,
        params: &ExitAllParams,
    ) -> Result<bool, StoreError> {
        for case in cases {
            let case = case?;
            let is_of_kind = params.kind.is_none_or(|kind| kind == case.kind());
            let is_in_phase = || params.phase.is_none_or(|phase| phase == case.phase(&self.clock));
            if is_of_kind && is_in_phase() {
                if page.exits.len() == page.limit {
                    return Ok(false);
                }
                page.exits.push(self.shown(&case, params.address));
            }
            page.last = Some(case.exit_id());
        }
        Ok(true)
    }

    /// The board knows more about an exit than the store: whether it is valid.
    fn case(&self, exit_id: ExitId) -> Result<Option<Arc<ExitCase>>, StoreError> {
        if let Some(case) = self.board.get(exit_id) {
            return Ok(Some(case.clone()));
        }
        let case = match ExitKind::of(exit_id) {
            ExitKind::Standard => {
                let exit = self.store.standard_exit_by_id(exit_id)?;
                exit.as_ref().map(ExitCase::of_standard)
            }
            ExitKind::InFlight => {
                let exit = self.store.in_flight_exit(exit_id)?;
                exit.as_ref().and_then(ExitCase::of_in_flight)
            }
        };
        Ok(case.map(Arc::new))
    }

    fn shown(&self, case: &ExitCase, viewer: Option<plasma_core::wire::Address>) -> Exit {
        let places = self.board.places(case.exit_id());
        Exit::from(&case.view(&self.clock, places, viewer))
    }
}

/// A page in the making.
struct Page {
    limit: usize,
    exits: Vec<Exit>,
    /// The last exit that was looked at.
    last: Option<ExitId>,
}
