//! A candidate that runs beside the live plugins for as long as the file says so.

use std::sync::Arc;

use super::{Reloader, candidate, trial};
use crate::config::{Pipeline, Transform};
use crate::mirror::Stop;

/// One batch in so many: differences show, and a candidate costs a tenth of a plugin.
const SHARE: u64 = 10;

/// The shadow that runs, if one does.
#[derive(Debug, Default)]
pub(super) struct Shadow {
    running: Option<(String, Stop)>,
}

impl Shadow {
    /// Runs what the transforms say: another one, the same one on, or none.
    pub(super) async fn follow(&mut self, reloader: &Reloader, transforms: &[Transform]) {
        let ledger = Arc::clone(&reloader.desk.ledger);
        if transforms.iter().all(|transform| transform.shadow.is_none()) {
            self.running = None;
            ledger.shadowed_by(None);
            return;
        }
        let replaced = |transform: &Transform| match &transform.shadow {
            Some(shadow) => {
                Transform { plugin: shadow.clone(), pin: transform.shadow_pin.clone(), ..transform.clone() }
            }
            None => transform.clone(),
        };
        let transforms = transforms.iter().map(replaced).collect();
        let pipeline = Pipeline { transforms, ..reloader.pipeline.clone() };
        let wishes = crate::assemble::Wishes { workers: Some(1), ..reloader.wishes.clone() };
        let but = self.running.as_ref().map(|(digests, _)| digests.clone());
        let loaded = candidate::load(reloader.engine.clone(), pipeline, wishes, but).await;
        let begun = match loaded {
            Ok(None) => return,
            Ok(Some(chain)) => {
                let (stop, samples) = reloader.mirror.tap(SHARE);
                let codec = candidate::uncounted_codec(&reloader.pipeline);
                ledger.shadowed_by(Some(chain.digests.clone()));
                self.running = Some((chain.digests.clone(), stop));
                let told = {
                    let (ledger, digests) = (Arc::clone(&ledger), chain.digests);
                    move |found| ledger.shadow(&digests, found)
                };
                chain.stages.into_iter().next().map_or(Ok(()), |stage| trial::follow(stage, codec, samples, told))
            }
            Err(why) => Err(why),
        };
        if let Err(why) = begun {
            self.running = None;
            ledger.shadowed_by(None);
            let pipeline = reloader.pipeline.name.as_str();
            tracing::warn!(pipeline, why, "the shadow does not run");
        }
    }
}
