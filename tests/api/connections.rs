//! Clients that keep a connection and do not use it.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Place, both_engines, one_engine, send_unfinished};

both_engines![a_stop_waits_for_a_request_in_flight_and_not_for_an_idle_connection];

// Neither comes near the database.
one_engine![sqlite: Sqlite, a_request_that_is_never_finished_is_not_waited_for];

async fn a_request_that_is_never_finished_is_not_waited_for(place: Place) {
    let server = place.start().await;
    let head =
        "POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n";
    let (nothing, half_a_head, half_a_body) = (String::new(), head.to_owned(), format!("{head}\r\n{{\"email\": "));
    let address = server.address();
    let ((silent, first), (headless, second), (bodiless, third)) = tokio::join!(
        send_unfinished(address, nothing.as_bytes()),
        send_unfinished(address, half_a_head.as_bytes()),
        send_unfinished(address, half_a_body.as_bytes()),
    );
    assert!(silent.is_empty(), "{silent}");
    assert!(
        headless.is_empty() || headless.starts_with("HTTP/1.1 408 "),
        "{headless}"
    );
    for waited in [first, second] {
        assert!((9..12).contains(&waited.as_secs()), "{waited:?}");
    }
    assert!(bodiless.starts_with("HTTP/1.1 408 "), "{bodiless}");
    assert!(bodiless.contains("\"code\":\"request_timeout\""), "{bodiless}");
    assert!((14..18).contains(&third.as_secs()), "{third:?}");
}

async fn a_stop_waits_for_a_request_in_flight_and_not_for_an_idle_connection(place: Place) {
    let server = place.start().await;
    let address = server.address();
    let mut idle = TcpStream::connect(address).await.unwrap();
    let live = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    idle.write_all(live).await.unwrap();
    assert!(idle.read(&mut [0; 4096]).await.unwrap() > 0);
    let mut busy = TcpStream::connect(address).await.unwrap();
    let head = "POST /api/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n";
    busy.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;

    let stopping = tokio::spawn(server.stop());
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    while TcpStream::connect(address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!stopping.is_finished());
    busy.write_all(b"{}").await.unwrap();
    busy.read_to_end(&mut rest).await.unwrap();
    let answer = String::from_utf8_lossy(&rest);
    assert!(answer.starts_with("HTTP/1.1 422 "), "{answer}");
    stopping.await.unwrap();
}
