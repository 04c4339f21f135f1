//! What pages load besides themselves, and how the operator makes the site look like their own.

use std::fs;

use crate::support::{Actor, Browser, Place, Reply, one_engine};

one_engine![
    sqlite: Sqlite,
    assets_are_kept_for_good_by_their_fingerprint,
    another_accent_is_another_style_sheet_at_another_path,
    the_sites_own_name_and_logo_are_on_every_page,
    a_page_and_its_assets_are_small,
];

/// The style sheet, the script and the logo of the page.
fn assets(page: &Reply) -> Vec<String> {
    let html = page.text();
    let mut paths: Vec<String> = html
        .split('"')
        .filter(|text| text.starts_with("/assets/"))
        .map(str::to_owned)
        .collect();
    // By what they are: which fingerprint comes first is chance.
    paths.sort_by_key(|path| path.rsplit('.').next().map(str::to_owned));
    paths.dedup();
    paths
}

async fn login_assets(browser: &Browser) -> Vec<String> {
    assets(&browser.open("/login").await.expect_page(200))
}

async fn assets_are_kept_for_good_by_their_fingerprint(place: Place) {
    let server = place.start().await;
    let browser = server.browser();
    let paths = login_assets(&browser).await;
    assert_eq!(paths.len(), 3, "{paths:?}");
    let kinds = [
        "text/css; charset=utf-8",
        "text/javascript; charset=utf-8",
        "image/svg+xml; charset=utf-8",
    ];
    for (path, kind) in paths.iter().zip(kinds) {
        let reply = browser.get(path).await.expect(200);
        assert_eq!(reply.header("content-type"), Some(kind), "{path}");
        assert_eq!(
            reply.header("cache-control"),
            Some("public, max-age=31536000, immutable"),
            "{path}"
        );
        assert_eq!(reply.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(reply.cookies().is_empty(), "{path}");
        assert!(!reply.body.is_empty(), "{path}");
        // Another fingerprint is another file, which is not there.
        let other = path.replacen('-', "-x", 1);
        browser.get(&other).await.expect_problem(404, "not_found");
        browser.request(reqwest::Method::HEAD, path).await.expect(200);
    }
    // The same from every page, and after a restart.
    let page = browser.open("/nothing").await.expect_page(404);
    assert_eq!(assets(&page), paths);
    server.stop().await;
    let server = place.start().await;
    assert_eq!(login_assets(&server.browser()).await, paths);
}

async fn another_accent_is_another_style_sheet_at_another_path(place: Place) {
    let mut sheets = Vec::new();
    for accent in [&[][..], &[("SITE_ACCENT", "#0b57d0")], &[("SITE_ACCENT", "#7b1fa2")]] {
        let server = place.start_with(accent).await;
        let browser = server.browser();
        let paths = login_assets(&browser).await;
        let path = paths
            .iter()
            .find(|path| path.starts_with("/assets/vestibule") && path.contains(".css"))
            .expect("a style sheet")
            .clone();
        sheets.push((path.clone(), browser.get(&path).await.expect(200).text()));
        server.stop().await;
    }
    assert!(sheets[1].1.contains("#0b57d0") && !sheets[0].1.contains("#0b57d0"));
    assert!(sheets[2].1.contains("#7b1fa2"));
    let paths: std::collections::BTreeSet<&String> = sheets.iter().map(|(path, _)| path).collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
}

async fn the_sites_own_name_and_logo_are_on_every_page(place: Place) {
    const LOGO: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\"><script>alert(1)</script></svg>";
    let file = place.directory().join("own.svg");
    fs::write(&file, LOGO).expect("written");
    let name = "Tom & Jerry's <script>";
    let server = place
        .start_with(&[("SITE_NAME", name), ("SITE_LOGO", file.to_str().unwrap())])
        .await;
    let ann = server.user_with_browser("ann@example.com").await;
    let nobody = server.browser();
    for (browser, path) in [
        (&nobody, "/login"),
        (&nobody, "/signup"),
        (&ann, "/profile"),
        (&ann, "/nothing"),
    ] {
        let page = browser.open(path).await;
        assert!(page.page_text().contains(name), "{path}: {}", page.page_text());
        let html = page.text();
        assert!(
            html.contains(" · Tom &amp; Jerry's &lt;script&gt;</title>"),
            "{path}: {html}"
        );
        assert_eq!(html.matches("<script").count(), 1, "{path}: {html}");
        let logo = assets(&page)
            .into_iter()
            .find(|path| path.contains("logo"))
            .expect("a logo");
        assert!(html.contains(&format!("<link rel=\"icon\" href=\"{logo}\">")), "{html}");
        let reply = nobody.get(&logo).await.expect(200);
        assert_eq!(
            (reply.text().as_str(), reply.header("content-type")),
            (LOGO, Some("image/svg+xml; charset=utf-8"))
        );
        // Looked at by itself it is a document, and must not be one that runs.
        let policy = reply.header("content-security-policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("sandbox"),
            "{policy}"
        );
    }
}

async fn a_page_and_its_assets_are_small(place: Place) {
    let server = place.start().await;
    let browser = server.browser();
    let mut paths = login_assets(&browser).await;
    assert!(paths.len() <= 3, "requests beside the page itself: {paths:?}");
    paths.push("/login".to_owned());
    let mut bytes = 0;
    for path in paths {
        let reply = browser.open(&path).header("accept-encoding", "gzip").await.expect(200);
        assert_eq!(reply.header("content-encoding"), Some("gzip"), "{path}");
        assert!(
            reply.header("vary").unwrap_or_default().contains("accept-encoding"),
            "{path}"
        );
        assert!(reply.body.starts_with(&[0x1f, 0x8b]), "{path}");
        let plain = browser.open(&path).await.expect(200);
        assert_eq!(plain.header("content-encoding"), None, "{path}");
        assert!(reply.body.len() < plain.body.len(), "{path}");
        bytes += reply.body.len();
    }
    assert!(
        bytes < 15_000,
        "the login page with everything it needs is {bytes} bytes"
    );
}
