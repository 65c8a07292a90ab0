//! Digests per second from a registry on this machine, beside bare keep-alive clients in the same run.
//!
//! `cargo bench --bench registry` prints a table; `cargo bench --bench registry -- 1 16` takes other numbers of jobs. The
//! registry, and each client in each round, is a process of its own, so that CPU time and peak memory are the client's
//! alone. A bare client has one connection a worker, sends one header, reads status and digest, and nothing else: by Go's
//! net/http (`benches/bare`), which is the yardstick that other registry clients were measured with and is left out where
//! there is no Go, and by hyper, which is what Plimsoll itself is built on.
//! Registries on this machine are spoken to over connections of Plimsoll's own; others, shown as far, through reqwest.
//! Rounds alternate; what is shown is the highest rate, the least CPU time and the highest peak.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    missing_docs,
    reason = "a bench prints, and fails by panicking"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use plimsoll::model::ImageReference;
use plimsoll::ports::Registry;
use plimsoll::registry::{RegistryClient, RegistryOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ROUNDS: usize = 15;
const TAGS: usize = 1_000;
/// Digests asked for in one round.
const DIGESTS: usize = 30_000;
/// Asked before the clock starts: connections are there, and what is learned once is learned.
const WARM: usize = 1_000;

const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    match words.as_slice() {
        ["serve"] => runtime.block_on(serve()),
        ["plimsoll", host, jobs] => runtime.block_on(plimsoll(host, jobs.parse().expect("a number"), false)),
        ["far", host, jobs] => runtime.block_on(plimsoll(host, jobs.parse().expect("a number"), true)),
        ["bare", host, jobs] => runtime.block_on(bare(host, jobs.parse().expect("a number"))),
        numbers => compare(&numbers.iter().filter_map(|number| number.parse().ok()).collect::<Vec<_>>()),
    }
}

/// What one round of one client cost.
#[derive(Clone, Copy)]
struct Cost {
    rate: f64,
    cpu: f64,
    peak_mib: f64,
}

fn compare(jobs: &[usize]) {
    let jobs = if jobs.is_empty() { &[1, 16, 64] } else { jobs };
    let mut registry = started(&["serve"]);
    let host = line(&mut registry);
    let elsewhere = own_address().and_then(|address| Some(format!("{address}:{}", host.rsplit_once(':')?.1)));
    let yardstick = yardstick();
    println!("| jobs | client | digests/s | CPU µs a digest | peak MiB |\n|---|---|---|---|---|");
    for jobs in jobs {
        let (mut ours, mut hyper, mut go, mut far) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            go.extend(yardstick.as_ref().map(|program| bare_by_go(program, &host, *jobs)));
            hyper.push(round("bare", &host, *jobs));
            ours.push(round("plimsoll", &host, *jobs));
            far.extend(elsewhere.as_ref().map(|host| round("far", host, *jobs)));
        }
        let ours = best(&ours);
        let bare = [("bare, net/http", go), ("bare, hyper", hyper)].map(|(name, costs)| (name, best(&costs), !costs.is_empty()));
        let far = (!far.is_empty()).then(|| ("plimsoll, as to a far host", best(&far)));
        let bare = || bare.iter().filter(|(.., there)| *there).map(|(name, cost, _)| (*name, *cost));
        for (name, cost) in bare().chain([("plimsoll", ours)]).chain(far) {
            println!("| {jobs} | {name} | {:.0} | {:.1} | {:.1} |", cost.rate, cost.cpu, cost.peak_mib);
        }
        for (name, cost) in bare() {
            println!(
                "| {jobs} | plimsoll beside {name} | {:.0} % | {:.2} × | {:.2} × |",
                100.0 * ours.rate / cost.rate,
                ours.cpu / cost.cpu,
                ours.peak_mib / cost.peak_mib
            );
        }
    }
    registry.kill().expect("the registry ends");
    registry.wait().expect("the registry ended");
}

/// An address of this machine that is not its loopback: what is asked there is asked as from any far host.
fn own_address() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    // Nothing is sent: it only finds the way out.
    socket.connect(("192.0.2.1", 9)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|address| !address.is_loopback())
}

fn started(arguments: &[&str]) -> Child {
    let program = std::env::current_exe().expect("this program");
    Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().expect("this program again")
}

fn line(child: &mut Child) -> String {
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().expect("its output")).read_line(&mut line).expect("a line");
    line.trim().to_owned()
}

/// The bare client in Go, made if there is one.
fn yardstick() -> Option<PathBuf> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bare");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/bare");
    let made = Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(source).status();
    let Ok(made) = made else {
        eprintln!("left out: the bare client by net/http needs Go");
        return None;
    };
    assert!(made.success(), "go build failed");
    Some(program)
}

fn bare_by_go(program: &Path, host: &str, jobs: usize) -> Cost {
    let [jobs, warm, digests, tags] = [jobs, WARM, DIGESTS, TAGS].map(|number| number.to_string());
    let arguments = [host, &jobs, &warm, &digests, &tags, ACCEPT];
    cost(Command::new(program).args(arguments).stdout(Stdio::piped()).spawn().expect("the bare client"))
}

fn round(client: &str, host: &str, jobs: usize) -> Cost {
    cost(started(&[client, host, &jobs.to_string()]))
}

fn cost(mut child: Child) -> Cost {
    let line = line(&mut child);
    assert!(child.wait().expect("the client").success(), "a client failed");
    let numbers: Vec<f64> = line.split(' ').map(|number| number.parse().expect("a number")).collect();
    Cost { rate: numbers[0], cpu: numbers[1], peak_mib: numbers[2] }
}

/// The best of each: what neighbours on the machine take away is not the client's doing.
fn best(costs: &[Cost]) -> Cost {
    costs.iter().copied().fold(Cost { rate: 0.0, cpu: f64::INFINITY, peak_mib: 0.0 }, |best, cost| Cost {
        rate: best.rate.max(cost.rate),
        cpu: best.cpu.min(cost.cpu),
        peak_mib: best.peak_mib.max(cost.peak_mib),
    })
}

/// Prints digests per second, CPU µs a digest and peak MiB of this process.
fn report(start: Instant, cpu: u64) {
    let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_nanoseconds() - cpu);
    let status = std::fs::read_to_string("/proc/self/status").expect("its status");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    println!("{} {} {}", DIGESTS as f64 / wall, cpu as f64 / 1000.0 / DIGESTS as f64, peak.expect("its peak") / 1024.0);
}

/// Time on a CPU of all threads of this process; none of them ends while it is measured.
fn cpu_nanoseconds() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").expect("its threads");
    let time = |task: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(task.expect("a thread").path().join("schedstat")).expect("its times");
        text.split(' ').next().and_then(|first| first.parse::<u64>().ok()).expect("a number")
    };
    tasks.map(time).sum()
}

async fn plimsoll(host: &str, jobs: usize, plain_http: bool) {
    let plain_http_hosts = plain_http.then(|| host.to_owned()).into_iter().collect();
    let docker_config = Some("/nonexistent/docker".into());
    let client = RegistryClient::new(RegistryOptions { jobs, plain_http_hosts, docker_config, ..RegistryOptions::default() });
    let client = Arc::new(client.expect("a client"));
    let reference = |tag| ImageReference::parse(&format!("{host}/acme/app:t{tag}")).expect("a reference");
    let references: Arc<Vec<ImageReference>> = Arc::new((0..TAGS).map(reference).collect());
    let asked = |count: usize| {
        let next = Arc::new(AtomicUsize::new(0));
        let workers: Vec<_> = (0..jobs)
            .map(|_| {
                let (client, references, next) = (Arc::clone(&client), Arc::clone(&references), Arc::clone(&next));
                tokio::spawn(async move {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            return;
                        }
                        client.digest(&references[number % TAGS]).await.expect("a digest");
                    }
                })
            })
            .collect();
        async move {
            for worker in workers {
                worker.await.expect("a worker");
            }
        }
    };
    asked(WARM).await;
    let (start, cpu) = (Instant::now(), cpu_nanoseconds());
    asked(DIGESTS).await;
    report(start, cpu);
}

async fn bare(host: &str, jobs: usize) {
    let mut workers = Vec::new();
    for _ in 0..jobs {
        let stream = TcpStream::connect(host).await.expect("a connection");
        stream.set_nodelay(true).expect("no delay");
        let (sender, connection) = http1::handshake::<_, Full<Bytes>>(TokioIo::new(stream)).await.expect("HTTP");
        tokio::spawn(connection);
        workers.push(sender);
    }
    let host: Arc<str> = host.into();
    workers = asked(workers, &host, WARM).await;
    let (start, cpu) = (Instant::now(), cpu_nanoseconds());
    let _workers = asked(workers, &host, DIGESTS).await;
    report(start, cpu);
}

type Sender = http1::SendRequest<Full<Bytes>>;

async fn asked(workers: Vec<Sender>, host: &Arc<str>, count: usize) -> Vec<Sender> {
    let next = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = workers
        .into_iter()
        .map(|mut sender| {
            let (next, host) = (Arc::clone(&next), Arc::clone(host));
            tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        return sender;
                    }
                    let request = hyper::Request::head(format!("/v2/acme/app/manifests/t{}", number % TAGS))
                        .header("host", &*host)
                        .header("accept", ACCEPT)
                        .body(Full::default())
                        .expect("a request");
                    sender.ready().await.expect("a connection");
                    let response = sender.send_request(request).await.expect("an answer");
                    assert!(response.status() == 200 && response.headers().contains_key("docker-content-digest"));
                }
            })
        })
        .collect();
    let mut workers = Vec::new();
    for task in tasks {
        workers.push(task.await.expect("a worker"));
    }
    workers
}

/// A registry that knows one answer, on as little CPU as may be.
async fn serve() {
    let listener = TcpListener::bind(("0.0.0.0", 0)).await.expect("a port");
    println!("127.0.0.1:{}", listener.local_addr().expect("its address").port());
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\nContent-Length: 1609\r\n\
         Docker-Content-Digest: sha256:{digest}\r\nDocker-Distribution-Api-Version: registry/2.0\r\nEtag: \"sha256:{digest}\"\r\n\
         X-Content-Type-Options: nosniff\r\nDate: Sat, 21 Nov 2026 12:00:00 GMT\r\n\r\n",
        digest = "5e".repeat(32)
    );
    let answer: Arc<str> = answer.into();
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let answer = Arc::clone(&answer);
        tokio::spawn(async move {
            stream.set_nodelay(true).expect("no delay");
            let (mut buffer, mut filled) = (vec![0_u8; 16 * 1024], 0);
            while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]).await {
                filled += read;
                // Requests have no body, and one is sent at a time.
                if buffer[..filled].ends_with(b"\r\n\r\n") {
                    filled = 0;
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        });
    }
}
