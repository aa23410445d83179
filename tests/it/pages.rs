//! Plain pages through the agent's HTTP door, as everyday programs ask for them.

use std::process::Command;

use crate::lab::Lab;
use crate::process::run;
use crate::targets::{mirror, page, web};

#[test]
fn curl_fetches_plain_pages_and_sends_forms() {
    let Some(curl) = wayleave_tests::require("curl_fetches_plain_pages", "curl", "curl") else { return };
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let more = ["--mode", "normal", "--local-user", "alice:sesame"];
    let agent = lab.agent(&[relay.listening(1)], &more);
    let proxy = format!("http://alice:sesame@{}", agent.listening(1));
    let url = format!("http://localhost:{}/", web(300_000));
    // Two pages, the second over the same connection to the agent.
    let output = run(&curl, &["-sS", "-v", "--max-time", "20", "--proxy", &proxy, &url, &url]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.stdout == [page(300_000), page(300_000)].concat(),
        "{said}\n{}\n{}",
        agent.log(),
        relay.log()
    );

    let url = format!("http://localhost:{}/form?a=b", mirror());
    lab.write("form.txt", &"x".repeat(100_000));
    let form = format!("@{}", lab.path("form.txt"));
    for framing in ["Content-Type: text/plain", "Transfer-Encoding: chunked"] {
        let arguments = [
            "-sS",
            "--max-time",
            "20",
            "--proxy",
            &proxy,
            "-H",
            framing,
            "-H",
            "Expect: 100-continue",
            "--data-binary",
            &form,
            &url,
        ];
        let output = run(&curl, &arguments);
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            told.starts_with("POST /form?a=b HTTP/1.1\r\n"),
            "{told}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(told.contains("\r\nConnection: close\r\n"), "{told}");
        assert!(!told.to_ascii_lowercase().contains("proxy-"), "{told}");
        assert!(told.ends_with(&"x".repeat(100_000)), "{}", told.len());
    }
    lab.event("flow_opened", |event| event["kind"] == "stream" && event["route"] == "proxied");
}

#[test]
fn wget_follows_the_environment() {
    let Some(wget) = wayleave_tests::require("wget_follows_the_environment", "wget", "wget") else { return };
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let url = format!("http://localhost:{}/", web(300_000));
    let output = Command::new(wget)
        .args(["-q", "-T", "20", "-t", "1", "-O", "-", &url])
        .env("http_proxy", format!("http://{}", agent.listening(1)))
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .output()
        .unwrap();
    assert!(output.stdout == page(300_000), "{}\n{}", String::from_utf8_lossy(&output.stderr), agent.log());
}

#[test]
fn python_keeps_one_connection_for_many_requests() {
    let Some(python) = wayleave_tests::require("python_keeps_one_connection", "python3", "python3") else {
        return;
    };
    let lab = Lab::new();
    let relay = lab.relay(&[]);
    let agent = lab.agent(&[relay.listening(1)], &["--mode", "normal"]);
    let (one, other) = (web(10_000), mirror());
    let script = format!(
        "import http.client\n\
         c = http.client.HTTPConnection('127.0.0.1', {door}, timeout=20)\n\
         for number in range(3):\n    \
             c.request('GET', 'http://localhost:{one}/')\n    \
             local = c.sock.getsockname()\n    \
             assert len(c.getresponse().read()) == 10000\n    \
             c.request('POST', 'http://localhost:{other}/x', body=iter([b'one', b'two']), encode_chunked=True,\n              \
                       headers={{'Transfer-Encoding': 'chunked'}})\n    \
             assert c.sock.getsockname() == local, 'another connection'\n    \
             told = c.getresponse().read()\n    \
             assert told.startswith(b'POST /x HTTP/1.1') and told.endswith(b'onetwo'), told\n\
         print('whole')\n",
        door = agent.listening(1).port(),
    );
    let output = run(&python, &["-c", &script]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "whole", "{error}\n{}", agent.log());
}
