//! Several Plimsolls on one repository, played by one thread in an order that the seed chooses.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use jiff::{SignedDuration, Timestamp};
use plimsoll::format::state_file;
use plimsoll::model::{ImageName, ImageState};
use plimsoll::reconcile::{Memory, Options, Outcome, World, pass};

use super::super::fake::{FakeRepository, Unseen};
use super::outside::{Faults, Outside, Plan, Random};
use super::ports::Ports;

/// A process: its name for claims, and what it remembers.
struct Process {
    holder: String,
    memory: Memory,
}

pub struct Simulation {
    pub repository: FakeRepository,
    pub outside: Mutex<Outside>,
    pub options: Options,
    processes: Vec<Process>,
    born: usize,
}

impl Simulation {
    pub fn new(seed: u64, plans: Vec<Plan>, processes: usize) -> Self {
        let repository = FakeRepository::default();
        let mut outside = Outside {
            random: Random::new(seed),
            faults: Faults::default(),
            now: Timestamp::from_second(1_790_000_000).unwrap(),
            plans,
            tags: BTreeMap::new(),
            images: BTreeMap::new(),
            platforms: BTreeMap::new(),
            dead: std::collections::BTreeSet::default(),
            runs: Vec::new(),
            serial: 0,
        };
        for base in 0..3 {
            outside.push_base(&format!("b{base}"));
        }
        repository.commit(|tree| {
            tree.insert("plimsoll.yaml".into(), b"kargo: {enabled: false}\n".to_vec());
            for (number, plan) in outside.plans.iter().enumerate() {
                tree.insert(format!("images.d/image{number}.yaml"), entry(number, plan, "").into_bytes());
            }
        });
        // Images are published in an order in which their bases are there.
        for _ in 0..outside.plans.len() {
            for image in 0..outside.plans.len() {
                if !outside.tags.contains_key(&super::outside::reference(&format!("m{image}"))) {
                    outside.build(image);
                }
            }
        }
        let mut simulation = Self { repository, outside: Mutex::new(outside), options: Options::default(), processes: Vec::new(), born: 0 };
        for _ in 0..processes {
            let process = simulation.spawn();
            simulation.processes.push(process);
        }
        simulation
    }

    fn spawn(&mut self) -> Process {
        self.born += 1;
        Process { holder: format!("process-{}", self.born), memory: Memory::default() }
    }

    pub fn with<T>(&self, use_it: impl FnOnce(&mut Outside) -> T) -> T {
        use_it(&mut self.outside.lock().unwrap())
    }

    pub fn wait(&self, minutes: i64) {
        self.with(|outside| outside.wait(SignedDuration::from_mins(minutes)));
    }

    /// One pass of each process, all at once. Those that die are born again without memory.
    pub fn passes(&mut self) -> Vec<Option<Outcome>> {
        let mut processes = std::mem::take(&mut self.processes);
        let ports: Vec<Ports<'_>> = processes.iter().map(|_| self.ports()).collect();
        let mut running: Vec<Option<Pin<Box<dyn Future<Output = Outcome> + '_>>>> = Vec::new();
        for (process, ports) in processes.iter_mut().zip(&ports) {
            let options = &self.options;
            running.push(Some(Box::pin(async move {
                let outside = plimsoll::reconcile::Outside { images: ports, holder: &process.holder };
                let world = World {
                    repository: ports,
                    sources: Some(ports),
                    forge: Some(ports),
                    registry: ports,
                    clock: ports,
                    progress: &Unseen,
                    outside: Some(outside),
                    workshop: None,
                };
                pass(&world, options, &mut process.memory).await
            })));
        }
        let mut ended: Vec<Option<Outcome>> = running.iter().map(|_| None).collect();
        let mut context = Context::from_waker(Waker::noop());
        while running.iter().any(Option::is_some) {
            let open: Vec<usize> = (0..running.len()).filter(|index| running[*index].is_some()).collect();
            let chosen = open[usize::try_from(self.with(|outside| outside.random.below(open.len() as u64))).unwrap()];
            match running[chosen].as_mut().unwrap().as_mut().poll(&mut context) {
                Poll::Ready(outcome) => {
                    ended[chosen] = Some(outcome);
                    running[chosen] = None;
                }
                Poll::Pending if ports[chosen].dead.load(Ordering::Relaxed) => running[chosen] = None,
                Poll::Pending => {}
            }
        }
        drop(running);
        let died: Vec<bool> = ports.iter().map(|ports| ports.dead.load(Ordering::Relaxed)).collect();
        drop(ports);
        self.processes = processes;
        for (index, died) in died.into_iter().enumerate() {
            if died {
                let process = self.spawn();
                self.processes[index] = process;
            }
        }
        ended
    }

    fn ports(&self) -> Ports<'_> {
        Ports { repository: &self.repository, outside: &self.outside, dead: AtomicBool::new(false) }
    }

    pub fn state(&self, image: usize) -> ImageState {
        let name = ImageName::parse(&format!("image{image}")).unwrap();
        let tree = self.repository.tree();
        state_file::read_image(&name, &tree[&format!("state/images/{name}.yaml")]).unwrap()
    }

    /// How often each key was taken.
    pub fn taken(&self) -> BTreeMap<String, usize> {
        let mut out = BTreeMap::new();
        for run in &self.with(|outside| outside.runs.clone()) {
            *out.entry(run.key.clone()).or_insert(0) += 1;
        }
        out
    }

    /// People edit an entry.
    pub fn edit(&self, image: usize, more: &str) {
        let text = self.with(|outside| entry(image, &outside.plans[image], more));
        self.repository.commit(|tree| {
            tree.insert(format!("images.d/image{image}.yaml"), text.into_bytes());
        });
    }
}

fn entry(number: usize, plan: &Plan, more: &str) -> String {
    format!(
        "name: image{number}\nregistry: reg.example\nrepository: acme/image{number}\nsource:\n  provider: github\n  repo: acme/image{number}\n  dockerfile: Dockerfile\n  workflow: build.yml\nrebuildDelay: {}h\n{more}",
        plan.delay_hours
    )
}
