//! The pool of workers: threads that each own a stage and a codec, fed batches one at a time.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, oneshot};
use weir_pipeline::batch::Batch;
use weir_pipeline::error::Error;
use weir_pipeline::run::Transformer;
use weir_pipeline::transform::Stage;
use weir_pipeline::work::{Applied, Codec, Known, Worker};

use crate::mirror::Mirror;

/// A guest's stack lives on its thread's.
pub(crate) const STACK_BYTES: usize = 8 << 20;

struct Order {
    batch: Batch,
    known: Arc<Known>,
    answer: oneshot::Sender<(Batch, Applied)>,
}

/// The pool. Its threads end when it is dropped.
#[derive(Debug)]
pub struct Workers {
    orders: mpsc::Sender<Order>,
}

impl Workers {
    /// Starts one thread for each stage. What they do is offered to `mirror`.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start<S, C>(stages: Vec<S>, codec: impl Fn() -> C, mirror: &Arc<Mirror>) -> std::io::Result<Self>
    where
        S: Stage + 'static,
        C: Codec + 'static,
    {
        // One batch waits for each worker: the next is at hand when one is done.
        let (orders, queue) = mpsc::channel(stages.len().max(1));
        let queue = Arc::new(Mutex::new(queue));
        for (at, stage) in stages.into_iter().enumerate() {
            let (queue, mut worker, mirror) = (Arc::clone(&queue), Worker::new(stage, codec()), Arc::clone(mirror));
            std::thread::Builder::new().name(format!("worker-{at}")).stack_size(STACK_BYTES).spawn(move || {
                while let Some(order) = next(&queue) {
                    let applied = worker.apply(&order.batch, &order.known);
                    mirror.offer(&order.batch, &order.known, &applied);
                    // Nobody waits any more where the epoch was dropped.
                    let _ = order.answer.send((order.batch, applied));
                }
            })?;
        }
        Ok(Self { orders })
    }
}

fn next(queue: &Mutex<mpsc::Receiver<Order>>) -> Option<Order> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv()
}

impl Transformer for Workers {
    async fn transform(&self, batch: Batch, known: Arc<Known>) -> Result<(Batch, Applied), Error> {
        let gone = || Error::fatal("a worker thread is gone: this is a mistake in Weir");
        let (answer, answered) = oneshot::channel();
        self.orders.send(Order { batch, known, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())
    }
}
