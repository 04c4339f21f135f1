//! The documented configurations of reverse proxies, run by those proxies, with an application behind them.
//!
//! The tests' names begin with the program that they need, so that `scripts/with-others` can leave them out.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use axum::{Json, Router, http::HeaderMap};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{
    Actor, Anonymous, Browser, Certificate, HTML, MINUTE, PASSWORD, Place, Reply, Server, free_address, one_engine,
};

mod nginx {
    use super::{Place, Proxy, one_engine};

    one_engine![sqlite: Sqlite, guards_an_application];

    async fn guards_an_application(place: Place) {
        super::guards_an_application(place, Proxy::nginx).await;
    }
}

mod caddy {
    use super::{Place, Proxy, one_engine};

    one_engine![sqlite: Sqlite, guards_an_application];

    async fn guards_an_application(place: Place) {
        super::guards_an_application(place, Proxy::caddy).await;
    }
}

const LOGIN: &str = "https://login.example.com";
const APP: &str = "https://app.example.com";

/// What the files say that Vestibule is started with.
const SETTINGS: [(&str, &str); 3] = [
    ("PUBLIC_URL", LOGIN),
    ("ALLOWED_ORIGINS", APP),
    ("COOKIE_DOMAIN", "example.com"),
];

/// A running proxy; it ends with the test.
struct Proxy {
    process: Child,
    https: SocketAddr,
    log: PathBuf,
    certificate: PathBuf,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Where things are that the files have at their usual places.
struct Around {
    directory: PathBuf,
    vestibule: SocketAddr,
    app: SocketAddr,
    http: SocketAddr,
    https: SocketAddr,
}

impl Around {
    /// The documented file, word for word but for those places.
    fn fill(&self, documented: &str, more: &[(&str, String)]) -> String {
        let usual = [
            ("127.0.0.1:8000", self.vestibule.to_string()),
            ("127.0.0.1:3000", self.app.to_string()),
        ];
        usual
            .iter()
            .chain(more)
            .fold(documented.to_owned(), |text, (usual, here)| {
                assert!(text.contains(usual), "no {usual} in {documented}");
                text.replace(usual, here)
            })
    }

    fn run(&self, program: &str, arguments: &[&str], certificate: PathBuf) -> Proxy {
        let log = self.directory.join(format!("{program}.log"));
        let output = fs::File::create(&log).unwrap();
        // Debian keeps servers where the PATH of others does not lead to.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let process = Command::new("env")
            .arg(program)
            .args(arguments)
            .env("PATH", path)
            .env("HOME", &self.directory)
            .env("XDG_DATA_HOME", &self.directory)
            .env("XDG_CONFIG_HOME", &self.directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn();
        Proxy {
            process: process.expect("env runs"),
            https: self.https,
            log,
            certificate,
        }
    }
}

impl Proxy {
    fn nginx(place: &Place, around: &Around) -> Self {
        let directory = around.directory.display();
        let certificate = Certificate::make(place, "example.com", &["login.example.com", "app.example.com"]);
        let site = around.fill(
            include_str!("../../docs/proxy/nginx.conf"),
            &[
                ("listen 80;", format!("listen {};", around.http)),
                ("listen 443 ssl;", format!("listen {} ssl;", around.https)),
                ("/etc/ssl/example.com.pem", certificate.file.display().to_string()),
                ("/etc/ssl/example.com.key", certificate.key.display().to_string()),
            ],
        );
        fs::write(around.directory.join("site.conf"), site).unwrap();
        // One process, so that whoever ends it ends all of it.
        let mut main = format!(
            "daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr; events {{}}\n\
             http {{ access_log off; include {directory}/site.conf;\n"
        );
        for module in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
            writeln!(main, "{module}_temp_path {directory}/nginx-{module};").unwrap();
        }
        let file = around.directory.join("nginx.conf");
        fs::write(&file, main + "}\n").unwrap();
        let (prefix, file) = (around.directory.to_str().unwrap(), file.to_str().unwrap());
        around.run("nginx", &["-p", prefix, "-c", file, "-e", "stderr"], certificate.file)
    }

    fn caddy(_: &Place, around: &Around) -> Self {
        // A certificate authority of its own in place of a public one.
        let global = format!(
            "{{\nadmin off\nlocal_certs\nskip_install_trust\nhttp_port {}\nhttps_port {}\ndefault_bind 127.0.0.1\n}}\n",
            around.http.port(),
            around.https.port()
        );
        let site = around.fill(include_str!("../../docs/proxy/Caddyfile"), &[]);
        let file = around.directory.join("Caddyfile");
        fs::write(&file, global + &site).unwrap();
        let arguments = ["run", "--adapter", "caddyfile", "--config", file.to_str().unwrap()];
        let root = around.directory.join("caddy/pki/authorities/local/root.crt");
        around.run("caddy", &arguments, root)
    }

    /// Waits until it listens and has its certificate; gives a client of each of its sites.
    async fn clients(&mut self) -> [Anonymous; 2] {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(certificate) = Certificate::found(&self.certificate) {
                let clients = [LOGIN, APP].map(|site| Anonymous::over_tls(site, self.https, &[&certificate]));
                let [login, app] = &clients;
                let (first, second) = (login.get("/health/live").status(), app.get("/").status());
                if let (Some(200), Some(_)) = tokio::join!(first, second) {
                    return clients;
                }
            }
            let ended = self.process.try_wait().unwrap();
            let said = || fs::read_to_string(&self.log).unwrap();
            assert!(ended.is_none(), "{}; without the program: {LEAVE_OUT}", said());
            assert!(Instant::now() < deadline, "it does not answer: {}", said());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

const LEAVE_OUT: &str = "`scripts/with-others cargo test` leaves out the tests whose programs are not installed";

/// Answers each request with its method and its headers, by their names in lower case.
async fn application() -> SocketAddr {
    async fn tell(method: axum::http::Method, headers: HeaderMap) -> Json<Value> {
        let headers: BTreeMap<_, _> = headers
            .iter()
            .map(|(name, value)| {
                (
                    name.as_str().to_owned(),
                    String::from_utf8_lossy(value.as_bytes()).into_owned(),
                )
            })
            .collect();
        Json(json!({"method": method.as_str(), "headers": headers}))
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, Router::new().fallback(tell)).await });
    address
}

/// What the application saw of a request that got through.
#[track_caller]
fn seen(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()["headers"].clone()
}

async fn guards_an_application(place: Place, run: fn(&Place, &Around) -> Proxy) {
    let server = place.start_with(&SETTINGS).await;
    let around = Around {
        directory: place.directory().to_owned(),
        vestibule: server.address(),
        app: application().await,
        http: free_address(),
        https: free_address(),
    };
    let mut proxy = run(&place, &around);
    let [login, app] = proxy.clients().await;

    strangers_are_kept_out(&app).await;
    let browser = signs_in_and_comes_back(&server, &login, &app).await;
    the_application_is_told_who_it_is(&server, &browser).await;
    nothing_is_consumed(&server, &browser).await;
    programs_come_with_tokens(&server, &app).await;
    plain_http_leads_to_https(around.http).await;
    server.stop().await;
    let reply = browser.get("/page").await;
    assert!(
        (500..=502).contains(&reply.status),
        "without Vestibule nobody gets in: {}",
        reply.status
    );
}

async fn strangers_are_kept_out(app: &Anonymous) {
    app.get("/page").await.expect(401);
    app.get("/page").header("accept", "application/json").await.expect(401);
    app.get("/page").bearer("nonsense").await.expect(401);
    app.post("/page")
        .header("accept", HTML)
        .form(&[("a", "b")])
        .await
        .expect(401);
    let reply = app.get("/page").header("remote-user", "0197-someone").await.expect(401);
    assert!(!reply.text().contains("headers"), "{}", reply.text());
    // A proxy's own place is not for others.
    let inner = app.get("/.vestibule").await;
    assert!([401, 404].contains(&inner.status), "{}", inner.status);
}

async fn signs_in_and_comes_back(server: &Server, login: &Anonymous, app: &Anonymous) -> Browser {
    server.sign_up("ann@example.com").await;
    let page = "/page?b=c&d=%26e";
    let reply = app.get(page).header("accept", HTML).await;
    assert!([302, 303].contains(&reply.status), "{}", reply.status);
    let next = "https%3A%2F%2Fapp.example.com%2Fpage%3Fb%3Dc%26d%3D%2526e";
    assert_eq!(reply.header("location"), Some(&*format!("{LOGIN}/login?next={next}")));

    let browser = Browser::new(login.clone()).on_page_of("same-origin", LOGIN);
    browser.open(&format!("/login?next={next}")).await.expect_page(200);
    let back = format!("{APP}{page}");
    let fields = [("username", "ann@example.com"), ("password", PASSWORD), ("next", &back)];
    let reply = browser.submit("/form/log_in", &fields).await.expect(303);
    assert_eq!(reply.header("location"), Some(&*back));
    for cookie in reply.cookies().iter().filter(|cookie| cookie.name.ends_with("_token")) {
        assert!(cookie.name.starts_with("__Secure-"), "{cookie:?}");
        assert_eq!(cookie.attribute("domain"), Some("example.com"), "{cookie:?}");
    }
    let browser = browser.moved_to(app.clone());
    seen(&browser.open(page).await);
    browser
}

async fn the_application_is_told_who_it_is(server: &Server, browser: &Browser) {
    let ann = server
        .text("SELECT id FROM users WHERE email = 'ann@example.com'")
        .await;
    let told = |headers: &Value, name: &str| headers[name].as_str().unwrap_or_default().to_owned();
    let headers = seen(&browser.get("/page").await);
    assert_eq!(told(&headers, "remote-user"), ann);
    assert_eq!(told(&headers, "remote-email"), "", "not verified yet");

    let verified = "UPDATE users SET email_verified_at = 1 WHERE email = 'ann@example.com'";
    sqlx::query(verified).execute(server.database()).await.unwrap();
    let mut forged = browser.get("/page");
    for name in [
        "remote-user",
        "remote-username",
        "remote-email",
        "remote-name",
        "remote-groups",
    ] {
        forged = forged.header(name, "admin").header(&name.replace('-', "_"), "admin");
        forged = forged.header(&name.to_uppercase(), "admin");
    }
    let headers = seen(&forged.await);
    assert_eq!(told(&headers, "remote-user"), ann);
    assert_eq!(told(&headers, "remote-email"), "ann@example.com");
    assert!(!headers.to_string().contains("admin"), "{headers}");
    assert_eq!(told(&headers, "host"), "app.example.com");
    assert_eq!(told(&headers, "x-forwarded-proto"), "https");
    let reply = browser.post("/page").form(&[("a", "b")]).await;
    seen(&reply);
    assert_eq!(reply.json()["method"], "POST");
}

async fn nothing_is_consumed(server: &Server, browser: &Browser) {
    // The access cookie has run out: the refresh cookie is looked at, again and again.
    server.advance(16 * MINUTE);
    for _ in 0..3 {
        let reply = browser.get("/page").await;
        seen(&reply);
        assert!(reply.cookies().is_empty(), "{:?}", reply.cookies());
    }
    assert_eq!(server.count("SELECT COUNT(*) FROM refresh_tokens").await, 1);
}

async fn programs_come_with_tokens(server: &Server, app: &Anonymous) {
    let ben = server.user("ben@example.com").await;
    let headers = seen(&app.get("/page").bearer(&ben.access_token).await);
    assert_eq!(headers["remote-user"], *ben.user_id);
    ben.post("/api/auth/logout").await.expect(200);
    app.get("/page").bearer(&ben.access_token).await.expect(401);
}

async fn plain_http_leads_to_https(http: SocketAddr) {
    assert!(TcpStream::connect(http).await.is_ok());
    let reply = Anonymous::at(http)
        .get("/login")
        .header("host", "login.example.com")
        .await;
    assert!([301, 308].contains(&reply.status), "{}", reply.status);
    let location = reply.header("location").unwrap_or_default();
    assert!(location.starts_with(LOGIN), "{location}");
}
