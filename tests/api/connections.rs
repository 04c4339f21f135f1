//! Clients that keep a connection and do not use it.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::support::{Actor, Place, both_engines, one_engine, send_unfinished};

both_engines![a_stop_waits_for_a_request_in_flight_and_not_for_an_idle_connection];

// None comes near the database.
one_engine![
    sqlite: Sqlite,
    a_request_that_is_never_finished_is_not_waited_for,
    an_answer_that_is_never_read_is_not_kept_and_one_that_is_read_slowly_is,
];

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

async fn an_answer_that_is_never_read_is_not_kept_and_one_that_is_read_slowly_is(place: Place) {
    let server = place.start().await;
    let document = server.anonymous().get("/openapi.json").await.expect(200).text();
    // More than the system keeps for either end.
    let answers = (64 << 20) / document.len();
    let (never, slowly) = tokio::join!(
        read_after(server.address(), answers, 0),
        read_after(server.address(), answers, 1 << 20),
    );
    assert!(never < answers * document.len(), "{never}");
    assert!(slowly > answers * document.len(), "{slowly}");
}

/// Asks for the document so many times, reads so much of the answers in each of the seconds in which whoever reads nothing
/// is given up, and then all that there is: how many bytes it was.
async fn read_after(address: SocketAddr, answers: usize, bytes_a_second: usize) -> usize {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = "GET /openapi.json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let requests = request.repeat(answers - 1) + last;
    stream.write_all(requests.as_bytes()).await.unwrap();
    let mut read = 0;
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut part = vec![0; bytes_a_second];
        read += stream.read_exact(&mut part).await.unwrap();
    }
    let mut rest = Vec::new();
    // A connection that was given up may end in an error; what had come is there all the same.
    let _ = stream.read_to_end(&mut rest).await;
    read + rest.len()
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
