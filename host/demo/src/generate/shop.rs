//! The shop as data: who there is, what each does, whom it calls, how long that takes and how often it fails.
//!
//! Which operation is slow is meant to have an answer: the checkout is the slowest of the shop's own pages, because
//! it waits for the bank; recommendations are slow by themselves, and the full-text search is the slowest query.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

/// A service: what its resource says.
pub(super) struct Service {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
    pub(super) language: &'static str,
    /// The instrumentation that makes its spans, and its version.
    pub(super) scope: (&'static str, &'static str),
    /// On how many pods it runs.
    pub(super) pods: u64,
}

/// What an operation is about: this decides its attributes.
pub(super) enum Shape {
    /// A page or an API of a web server.
    Http { method: &'static str, route: &'static str },
    /// A call from service to service.
    Rpc { service: &'static str, method: &'static str },
    /// A query; the second text is the database's namespace.
    Database { system: &'static str, namespace: &'static str, collection: &'static str, query: &'static str },
    /// A web service of somebody else's.
    Elsewhere { method: &'static str, host: &'static str, path: &'static str },
    /// A message to or from a topic.
    Topic { topic: &'static str, operation: &'static str },
    /// Work inside a service.
    Function { namespace: &'static str },
}

/// One kind of span.
pub(super) struct Operation {
    pub(super) name: &'static str,
    pub(super) service: &'static Service,
    pub(super) kind: SpanKind,
    pub(super) shape: Shape,
    /// Its own time, without its calls, in microseconds: half are shorter.
    pub(super) median_us: f64,
    /// How much its own time varies.
    pub(super) spread: f64,
    /// How many out of a thousand fail by themselves.
    pub(super) failures_permille: u64,
    /// What a failure says: the exception's type and its message.
    pub(super) failure: (&'static str, &'static str),
    pub(super) calls: &'static [Call],
}

/// A call from one operation to another.
pub(super) struct Call {
    pub(super) to: &'static Operation,
    /// Out of a thousand times.
    pub(super) permille: u64,
    /// At most how many times in a row; at least once.
    pub(super) times_max: u64,
}

const fn call(to: &'static Operation) -> Call {
    Call { to, permille: 1000, times_max: 1 }
}

const fn maybe(permille: u64, to: &'static Operation) -> Call {
    Call { to, permille, times_max: 1 }
}

const fn several(times_max: u64, to: &'static Operation) -> Call {
    Call { to, permille: 1000, times_max }
}

/// What a customer does, and how often: the parts of a whole.
pub(super) static REQUESTS: &[(u64, &Operation)] = &[
    (30, &HOME),
    (28, &PRODUCT),
    (12, &SEARCH),
    (10, &VIEW_CART),
    (8, &ADD_TO_CART),
    (5, &CHECKOUT),
    (4, &TRACK_ORDER),
    (3, &HEALTH),
];

static FRONTEND: Service =
    service("frontend", "2.14.0", "nodejs", ("@opentelemetry/instrumentation-http", "0.203.0"), 4);
static CART: Service = service("cart", "1.9.3", "dotnet", ("OpenTelemetry.Instrumentation.AspNetCore", "1.12.0"), 3);
static CHECKOUT_SERVICE: Service = service("checkout", "3.2.1", "go", ("otelgrpc", "0.62.0"), 3);
static PAYMENT: Service = service("payment", "4.0.7", "java", ("io.opentelemetry.grpc-1.6", "2.18.0-alpha"), 2);
static FRAUD: Service =
    service("fraud-detection", "0.8.2", "python", ("opentelemetry.instrumentation.grpc", "0.57b0"), 2);
static CURRENCY: Service = service("currency", "1.1.0", "cpp", ("currency", "1.1.0"), 2);
static CATALOG: Service = service("product-catalog", "2.3.4", "go", ("otelgrpc", "0.62.0"), 4);
static RECOMMENDATION: Service =
    service("recommendation", "1.5.0", "python", ("opentelemetry.instrumentation.grpc", "0.57b0"), 2);
static SHIPPING: Service = service("shipping", "1.7.6", "rust", ("tonic-tracing-opentelemetry", "0.30.0"), 2);
static EMAIL: Service = service("email", "1.0.9", "ruby", ("OpenTelemetry::Instrumentation::Sinatra", "0.26.0"), 1);
static INVENTORY: Service = service("inventory", "2.0.0", "java", ("io.opentelemetry.grpc-1.6", "2.18.0-alpha"), 2);
static ACCOUNTING: Service =
    service("accounting", "1.2.5", "dotnet", ("OpenTelemetry.Instrumentation.ConfluentKafka", "0.1.0"), 1);

/// All services.
pub(super) static SERVICES: [&Service; 12] = [
    &FRONTEND,
    &CART,
    &CHECKOUT_SERVICE,
    &PAYMENT,
    &FRAUD,
    &CURRENCY,
    &CATALOG,
    &RECOMMENDATION,
    &SHIPPING,
    &EMAIL,
    &INVENTORY,
    &ACCOUNTING,
];

const fn service(
    name: &'static str,
    version: &'static str,
    language: &'static str,
    scope: (&'static str, &'static str),
    pods: u64,
) -> Service {
    Service { name, version, language, scope, pods }
}

/// An operation that takes `time` microseconds, give or take, and fails never.
const fn operation(
    name: &'static str,
    service: &'static Service,
    kind: SpanKind,
    shape: Shape,
    time: (f64, f64),
    calls: &'static [Call],
) -> Operation {
    let failure = ("Error", "unexpected failure");
    Operation { name, service, kind, shape, median_us: time.0, spread: time.1, failures_permille: 0, failure, calls }
}

impl Operation {
    /// Makes it fail now and then.
    const fn failing(mut self, permille: u64, kind: &'static str, message: &'static str) -> Self {
        self.failures_permille = permille;
        self.failure = (kind, message);
        self
    }
}

const fn page(
    name: &'static str,
    method: &'static str,
    route: &'static str,
    us: f64,
    calls: &'static [Call],
) -> Operation {
    operation(name, &FRONTEND, SpanKind::Server, Shape::Http { method, route }, (us, 0.4), calls)
}

static HOME: Operation =
    page("GET /", "GET", "/", 6_000.0, &[several(2, &LIST_PRODUCTS), call(&CONVERT), maybe(600, &RECOMMEND)]);
static PRODUCT: Operation = page(
    "GET /api/products/{id}",
    "GET",
    "/api/products/{id}",
    4_000.0,
    &[call(&GET_PRODUCT), call(&CONVERT), maybe(500, &STOCK), maybe(400, &RECOMMEND)],
);
static SEARCH: Operation = page("GET /api/search", "GET", "/api/search", 3_500.0, &[call(&SEARCH_PRODUCTS)]);
static VIEW_CART: Operation =
    page("GET /api/cart", "GET", "/api/cart", 3_000.0, &[call(&GET_CART), several(3, &GET_PRODUCT), call(&QUOTE)]);
static ADD_TO_CART: Operation =
    page("POST /api/cart", "POST", "/api/cart", 3_500.0, &[call(&GET_PRODUCT), call(&STOCK), call(&ADD_ITEM)]);
static CHECKOUT: Operation = page("POST /api/checkout", "POST", "/api/checkout", 8_000.0, &[call(&PLACE_ORDER)]);
static TRACK_ORDER: Operation = page("GET /api/orders/{id}", "GET", "/api/orders/{id}", 3_000.0, &[call(&SHIPMENT)])
    .failing(25, "NotFoundError", "no order has this number");
static HEALTH: Operation = page("GET /healthz", "GET", "/healthz", 150.0, &[]);

const fn rpc(
    name: &'static str,
    on: &'static Service,
    (service, method): (&'static str, &'static str),
    time: (f64, f64),
    calls: &'static [Call],
) -> Operation {
    operation(name, on, SpanKind::Server, Shape::Rpc { service, method }, time, calls)
}

static GET_CART: Operation =
    rpc("shop.CartService/GetCart", &CART, ("shop.CartService", "GetCart"), (900.0, 0.3), &[call(&CACHE_GET)]);
static ADD_ITEM: Operation = rpc(
    "shop.CartService/AddItem",
    &CART,
    ("shop.CartService", "AddItem"),
    (1_200.0, 0.3),
    &[call(&CACHE_GET), call(&CACHE_SET)],
);
static EMPTY_CART: Operation =
    rpc("shop.CartService/EmptyCart", &CART, ("shop.CartService", "EmptyCart"), (700.0, 0.3), &[call(&CACHE_SET)]);
static PLACE_ORDER: Operation = rpc(
    "shop.CheckoutService/PlaceOrder",
    &CHECKOUT_SERVICE,
    ("shop.CheckoutService", "PlaceOrder"),
    (9_000.0, 0.4),
    &[
        call(&PREPARE_ORDER),
        call(&GET_CART),
        several(3, &GET_PRODUCT),
        call(&CONVERT),
        call(&QUOTE),
        call(&RESERVE),
        call(&CHARGE),
        call(&SHIP),
        call(&EMPTY_CART),
        call(&CONFIRM),
        call(&PUBLISH_ORDER),
    ],
);
static PREPARE_ORDER: Operation = operation(
    "prepareOrderItems",
    &CHECKOUT_SERVICE,
    SpanKind::Internal,
    Shape::Function { namespace: "checkout.orders" },
    (1_500.0, 0.5),
    &[],
);
static CHARGE: Operation = rpc(
    "shop.PaymentService/Charge",
    &PAYMENT,
    ("shop.PaymentService", "Charge"),
    (12_000.0, 0.4),
    &[call(&SCREEN), call(&AUTHORIZE), call(&INSERT_PAYMENT)],
)
.failing(18, "com.shop.payment.CardDeclinedException", "the card was declined: insufficient funds");
static SCREEN: Operation = rpc(
    "shop.FraudService/Screen",
    &FRAUD,
    ("shop.FraudService", "Screen"),
    (35_000.0, 0.5),
    &[call(&SCORE), call(&FRAUD_HISTORY)],
);
static SCORE: Operation = operation(
    "score_order",
    &FRAUD,
    SpanKind::Internal,
    Shape::Function { namespace: "fraud.model" },
    (22_000.0, 0.4),
    &[],
);
static CONVERT: Operation =
    rpc("shop.CurrencyService/Convert", &CURRENCY, ("shop.CurrencyService", "Convert"), (350.0, 0.25), &[]);
static LIST_PRODUCTS: Operation = rpc(
    "shop.ProductCatalogService/ListProducts",
    &CATALOG,
    ("shop.ProductCatalogService", "ListProducts"),
    (2_500.0, 0.4),
    &[call(&SELECT_PRODUCTS)],
);
static GET_PRODUCT: Operation = rpc(
    "shop.ProductCatalogService/GetProduct",
    &CATALOG,
    ("shop.ProductCatalogService", "GetProduct"),
    (800.0, 0.35),
    &[call(&SELECT_PRODUCT)],
)
.failing(6, "*errors.errorString", "product catalog is reloading");
static SEARCH_PRODUCTS: Operation = rpc(
    "shop.ProductCatalogService/SearchProducts",
    &CATALOG,
    ("shop.ProductCatalogService", "SearchProducts"),
    (3_000.0, 0.4),
    &[call(&SEARCH_QUERY)],
);
static RECOMMEND: Operation = rpc(
    "shop.RecommendationService/ListRecommendations",
    &RECOMMENDATION,
    ("shop.RecommendationService", "ListRecommendations"),
    (140_000.0, 0.6),
    &[call(&RANK), several(2, &GET_PRODUCT)],
)
.failing(12, "grpc.aio.AioRpcError", "the ranking model is not loaded");
static RANK: Operation = operation(
    "rank_candidates",
    &RECOMMENDATION,
    SpanKind::Internal,
    Shape::Function { namespace: "recommendation.ranking" },
    (60_000.0, 0.6),
    &[],
);
static QUOTE: Operation =
    rpc("shop.ShippingService/GetQuote", &SHIPPING, ("shop.ShippingService", "GetQuote"), (1_100.0, 0.3), &[]);
static SHIP: Operation = rpc(
    "shop.ShippingService/ShipOrder",
    &SHIPPING,
    ("shop.ShippingService", "ShipOrder"),
    (2_000.0, 0.3),
    &[call(&CARRIER)],
);
static SHIPMENT: Operation = rpc(
    "shop.ShippingService/GetShipment",
    &SHIPPING,
    ("shop.ShippingService", "GetShipment"),
    (900.0, 0.3),
    &[call(&SELECT_SHIPMENT)],
);
static STOCK: Operation = rpc(
    "shop.InventoryService/GetStock",
    &INVENTORY,
    ("shop.InventoryService", "GetStock"),
    (700.0, 0.3),
    &[call(&SELECT_STOCK)],
);
static RESERVE: Operation = rpc(
    "shop.InventoryService/Reserve",
    &INVENTORY,
    ("shop.InventoryService", "Reserve"),
    (2_200.0, 0.4),
    &[call(&SELECT_STOCK), call(&UPDATE_STOCK)],
)
.failing(8, "com.shop.inventory.OutOfStockException", "the last item was sold to somebody else");
static CONFIRM: Operation = operation(
    "POST /send_order_confirmation",
    &EMAIL,
    SpanKind::Server,
    Shape::Http { method: "POST", route: "/send_order_confirmation" },
    (28_000.0, 0.5),
    &[],
);
static PUBLISH_ORDER: Operation = operation(
    "orders publish",
    &CHECKOUT_SERVICE,
    SpanKind::Producer,
    Shape::Topic { topic: "orders", operation: "publish" },
    (1_800.0, 0.4),
    &[call(&BOOK_ORDER)],
);
static BOOK_ORDER: Operation = operation(
    "orders process",
    &ACCOUNTING,
    SpanKind::Consumer,
    Shape::Topic { topic: "orders", operation: "process" },
    (6_000.0, 0.5),
    &[call(&INSERT_ORDER)],
);

const fn elsewhere(
    name: &'static str,
    on: &'static Service,
    method: &'static str,
    (host, path): (&'static str, &'static str),
    time: (f64, f64),
) -> Operation {
    operation(name, on, SpanKind::Client, Shape::Elsewhere { method, host, path }, time, &[])
}

static AUTHORIZE: Operation =
    elsewhere("POST bank.example", &PAYMENT, "POST", ("api.bank.example", "/v2/authorizations"), (420_000.0, 0.45))
        .failing(12, "java.net.SocketTimeoutException", "read timed out after 2000 ms: api.bank.example");
static CARRIER: Operation =
    elsewhere("POST carrier.example", &SHIPPING, "POST", ("api.carrier.example", "/labels"), (95_000.0, 0.4)).failing(
        9,
        "reqwest::Error",
        "error sending request: connection reset by peer",
    );

const fn query(
    name: &'static str,
    on: &'static Service,
    (system, namespace, collection): (&'static str, &'static str, &'static str),
    query: &'static str,
    time: (f64, f64),
) -> Operation {
    operation(name, on, SpanKind::Client, Shape::Database { system, namespace, collection, query }, time, &[])
}

static CACHE_GET: Operation = query("HGETALL", &CART, ("redis", "0", "cart"), "HGETALL cart:?", (280.0, 0.3)).failing(
    4,
    "StackExchange.Redis.RedisTimeoutException",
    "timeout awaiting response: HGETALL, 1001ms elapsed",
);
static CACHE_SET: Operation = query("HSET", &CART, ("redis", "0", "cart"), "HSET cart:? items ?", (310.0, 0.3));
static SELECT_PRODUCTS: Operation = query(
    "SELECT catalog.products",
    &CATALOG,
    ("postgresql", "catalog", "products"),
    "SELECT id, name, price, currency, picture FROM products WHERE category = $1 ORDER BY rank LIMIT 24",
    (3_200.0, 0.4),
);
static SELECT_PRODUCT: Operation = query(
    "SELECT catalog.product",
    &CATALOG,
    ("postgresql", "catalog", "products"),
    "SELECT id, name, price, currency, picture, description FROM products WHERE id = $1",
    (650.0, 0.3),
);
static SEARCH_QUERY: Operation = query(
    "SELECT catalog.search",
    &CATALOG,
    ("postgresql", "catalog", "products"),
    "SELECT id, name, ts_rank(document, q) FROM products, plainto_tsquery($1) q WHERE document @@ q ORDER BY 3 DESC",
    (180_000.0, 0.7),
)
.failing(30, "pq.Error", "canceling statement due to statement timeout");
static SELECT_STOCK: Operation = query(
    "SELECT inventory.stock",
    &INVENTORY,
    ("postgresql", "inventory", "stock"),
    "SELECT warehouse, available FROM stock WHERE product_id = $1",
    (500.0, 0.3),
);
static UPDATE_STOCK: Operation = query(
    "UPDATE inventory.stock",
    &INVENTORY,
    ("postgresql", "inventory", "stock"),
    "UPDATE stock SET available = available - $2 WHERE product_id = $1 AND available >= $2",
    (1_900.0, 0.6),
)
.failing(4, "org.postgresql.util.PSQLException", "deadlock detected");
static FRAUD_HISTORY: Operation = query(
    "find fraud.orders",
    &FRAUD,
    ("mongodb", "fraud", "orders"),
    "{\"find\":\"orders\",\"filter\":{\"user\":\"?\"},\"limit\":50}",
    (4_500.0, 0.5),
);
static INSERT_PAYMENT: Operation = query(
    "INSERT payments.charges",
    &PAYMENT,
    ("mysql", "payments", "charges"),
    "INSERT INTO charges (order_id, amount, currency, authorization) VALUES (?, ?, ?, ?)",
    (2_600.0, 0.4),
);
static INSERT_ORDER: Operation = query(
    "INSERT accounting.orders",
    &ACCOUNTING,
    ("postgresql", "accounting", "orders"),
    "INSERT INTO orders (id, placed_at, total, currency, lines) VALUES ($1, $2, $3, $4, $5)",
    (2_100.0, 0.4),
);
static SELECT_SHIPMENT: Operation = query(
    "SELECT shipping.shipments",
    &SHIPPING,
    ("postgresql", "shipping", "shipments"),
    "SELECT state, carrier, updated_at FROM shipments WHERE order_id = $1",
    (1_200.0, 0.4),
);
