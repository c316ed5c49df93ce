//! One wasmtime engine for the process: what compiles plugins and interrupts them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::Config;
use wasmtime::component::Component;

use crate::compiled::{self, CompiledCache};
use crate::compiler::Compiler;
use crate::error::PluginError;

/// How often running guests are interrupted, so that the host can look at their CPU time.
pub(crate) const TICK: Duration = Duration::from_millis(10);

/// The stack of a guest. The thread that calls needs this much and half a megabyte more.
const STACK_BYTES: usize = 512 << 10;

/// Function names in the text of a trap; a deep recursion has no more to tell than this.
const BACKTRACE_FRAMES_MAX: usize = 16;

/// Compiles plugins. Cheap to clone; a process needs one.
#[derive(Clone)]
pub struct Engine {
    wasmtime: wasmtime::Engine,
    cache: Option<Arc<CompiledCache>>,
    compiler: Option<Arc<Compiler>>,
}

impl Engine {
    /// An engine that keeps compiled code in `cache`, a folder of its own that it makes private. Without one, plugins
    /// are compiled at each start.
    ///
    /// # Errors
    /// [`PluginError::Engine`] where the machine cannot run WebAssembly.
    pub fn new(cache: Option<PathBuf>) -> Result<Self, PluginError> {
        let wasmtime = wasmtime::Engine::new(&config()).map_err(|e| PluginError::Engine(format!("{e:#}")))?;
        tick(&wasmtime)?;
        let cache = cache.map(|folder| Arc::new(CompiledCache::new(folder)));
        Ok(Self { wasmtime, cache, compiler: None })
    }

    /// The same, but that components are compiled by another process, whose time and memory are limited.
    #[must_use]
    pub fn with_compiler(self, compiler: Compiler) -> Self {
        Self { compiler: Some(Arc::new(compiler)), ..self }
    }

    /// An engine that cannot interrupt its guests: what the interruption is measured against. Nothing that users run
    /// goes this way.
    ///
    /// # Errors
    /// As [`Engine::new`].
    #[doc(hidden)]
    pub fn without_interruption() -> Result<Self, PluginError> {
        let wasmtime = wasmtime::Engine::new(config().epoch_interruption(false));
        Ok(Self { wasmtime: wasmtime.map_err(|e| PluginError::Engine(format!("{e:#}")))?, cache: None, compiler: None })
    }

    pub(crate) fn wasmtime(&self) -> &wasmtime::Engine {
        &self.wasmtime
    }

    /// The component, from the cache where it is there. `digest` is the sha256 of `bytes`.
    pub(crate) fn compile(&self, digest: &str, bytes: &[u8]) -> wasmtime::Result<Component> {
        match &self.cache {
            Some(cache) => cache.component(&self.wasmtime, digest, || self.machine_code(bytes)),
            None => compiled::deserialize(&self.wasmtime, &self.machine_code(bytes)?),
        }
    }

    fn machine_code(&self, bytes: &[u8]) -> wasmtime::Result<Vec<u8>> {
        match &self.compiler {
            Some(compiler) => compiler.compile(bytes),
            None => self.wasmtime.precompile_component(bytes),
        }
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("cached", &self.cache.is_some()).finish_non_exhaustive()
    }
}

/// What compiles and what runs components is set alike.
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .epoch_interruption(true)
        // Nothing here is asynchronous; without this a call costs three times as much.
        .concurrency_support(false)
        .parallel_compilation(true)
        .max_wasm_stack(STACK_BYTES)
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(BACKTRACE_FRAMES_MAX))
        // The same input gives the same rows on every machine: a batch that is done twice is done alike.
        .relaxed_simd_deterministic(true)
        // 64-bit memories have no guard pages: every access would be checked, and no plugin needs 4 GiB.
        .wasm_memory64(false);
    config
}

/// Advances the engine's epoch until the engine is gone.
fn tick(engine: &wasmtime::Engine) -> Result<(), PluginError> {
    let engine = engine.weak();
    std::thread::Builder::new()
        .name("weir-wasm-tick".to_owned())
        .spawn(move || {
            while let Some(engine) = engine.upgrade() {
                engine.increment_epoch();
                drop(engine);
                std::thread::sleep(TICK);
            }
        })
        .map(drop)
        .map_err(|e| PluginError::Engine(format!("cannot start the thread that interrupts plugins: {e}")))
}
