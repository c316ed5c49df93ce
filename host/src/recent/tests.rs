use tracing_subscriber::layer::SubscriberExt;

use super::*;

#[test]
fn warnings_and_errors_are_kept_with_their_fields_and_only_the_newest() {
    let log = tracing_subscriber::registry().with(Recent);
    tracing::subscriber::with_default(log, || {
        for n in 0..KEPT + 5 {
            tracing::info!(n, "nothing to worry about");
            tracing::warn!(table = "telemetry.traces", n, "cannot load the table");
        }
        tracing::error!("{}", "é".repeat(2 * TEXT_MAX));
    });
    note("orders: the topic was made again".to_string());
    let said = said();
    let lines: Vec<(&str, &str)> = said.iter().map(|s| (s.level, s.message.as_str())).collect();
    assert_eq!(said.len(), KEPT);
    assert_eq!(lines[0], ("warn", "cannot load the table table=\"telemetry.traces\" n=7"));
    assert_eq!(lines[KEPT - 2], ("error", "é".repeat(TEXT_MAX).as_str()));
    assert_eq!(lines[KEPT - 1], ("error", "orders: the topic was made again"));
}
