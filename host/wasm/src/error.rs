//! Why a plugin is not taken. None of these touches data: they come before the first call.

use std::path::PathBuf;

use weir_pipeline::transform::Failure;

/// Why a plugin cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PluginError {
    /// The engine itself cannot start: the machine lacks something, or the build is wrong.
    #[error("cannot start the WebAssembly engine: {0}")]
    Engine(String),
    /// The file cannot be read.
    #[error("cannot read plugin {plugin} from {}: {source}", path.display())]
    Read {
        /// The plugin's name.
        plugin: String,
        /// Where it was looked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is larger than any plugin needs to be.
    #[error("plugin {plugin} is larger than the {limit_bytes} bytes a plugin may have: {size_bytes} bytes")]
    TooLarge {
        /// The plugin's name.
        plugin: String,
        /// Its size.
        size_bytes: u64,
        /// The bound.
        limit_bytes: u64,
    },
    /// The bytes are something else.
    #[error("plugin {plugin} is not WebAssembly: it begins with {begins}")]
    NotWasm {
        /// The plugin's name.
        plugin: String,
        /// Its first bytes, in hex.
        begins: String,
    },
    /// The bytes are a core module: the linker step that makes a component is missing.
    #[error(
        "plugin {plugin} is a core WebAssembly module, not a component: link it with wasm-component-ld, or build it \
         with `weir plugin build`"
    )]
    CoreModule {
        /// The plugin's name.
        plugin: String,
    },
    /// The component is damaged, or uses a feature that Weir does not offer.
    #[error("plugin {plugin} does not compile: {reason}")]
    Compile {
        /// The plugin's name.
        plugin: String,
        /// What the compiler said.
        reason: String,
    },
    /// The component is built for another world.
    #[error("plugin {plugin} exports none of {wanted}; its exports: {exports}")]
    World {
        /// The plugin's name.
        plugin: String,
        /// The interfaces of which it must export one.
        wanted: String,
        /// What it exports instead.
        exports: String,
    },
    /// The component exports several of the contract's interfaces.
    #[error("plugin {plugin} exports both {one} and {other}: a plugin is one step of a chain")]
    Worlds {
        /// The plugin's name.
        plugin: String,
        /// One interface.
        one: String,
        /// Another one.
        other: String,
    },
    /// The component is built for another version of the contract.
    #[error("plugin {plugin} is built for {found}, and this Weir offers {offered}")]
    Version {
        /// The plugin's name.
        plugin: String,
        /// The interface with the version that the plugin has.
        found: String,
        /// The interface with the version that this Weir has.
        offered: String,
    },
    /// The component wants something that no plugin gets.
    #[error("plugin {plugin} imports what no plugin gets: {imports}; offered are weir:plugin/log and counters")]
    Import {
        /// The plugin's name.
        plugin: String,
        /// Each import that is not offered.
        imports: String,
    },
    /// The component's functions have other types than the contract's.
    #[error("plugin {plugin} does not fit the contract: {reason}")]
    Contract {
        /// The plugin's name.
        plugin: String,
        /// What does not fit.
        reason: String,
    },
    /// The plugin stands in the wrong place of its chain, or a step is missing.
    #[error("{reason}")]
    Order {
        /// What is wrong with the order.
        reason: String,
    },
    /// The plugin refuses its settings; the text is for whoever wrote them.
    #[error("plugin {plugin} refuses its settings: {reason}")]
    Settings {
        /// The plugin's name.
        plugin: String,
        /// What the plugin said.
        reason: String,
    },
    /// The plugin refuses its settings or the tables before it; it does not say which, but its text does.
    #[error("plugin {plugin} refuses its settings, or the tables that it is given: {reason}")]
    Misfit {
        /// The plugin's name.
        plugin: String,
        /// What the plugin said.
        reason: String,
    },
    /// The plugin failed while it was configured.
    #[error("plugin {plugin} failed while it was configured: {failure}")]
    Configure {
        /// The plugin's name.
        plugin: String,
        /// How.
        failure: Failure,
    },
    /// The tables that the plugin describes are not possible.
    #[error("plugin {plugin} describes tables that cannot be: {reason}")]
    Schema {
        /// The plugin's name.
        plugin: String,
        /// Which table and field, and why.
        reason: String,
    },
}
