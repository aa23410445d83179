//! Every interleaving of wake-ups with the task that looks after the sockets.
//!
//! A wake-up and a look each consist of a few steps that nothing can come between: an atomic exchange, or what is done under
//! the one lock. The model takes these steps of the real code in every order there is.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicUsize;

use super::*;

/// Who takes the next step, and where each is.
struct Model {
    ready: Arc<Ready>,
    sockets: Vec<Arc<SocketWaker>>,
    task: Task,
    happenings: Vec<Happening>,
    /// What happened to each socket and nobody has seen.
    unseen: Vec<usize>,
    /// The task's own waker.
    called: Arc<Calls>,
    seen: usize,
}

/// Something happens to a socket, and its waker is woken.
struct Happening {
    socket: usize,
    step: u8,
    waker: Option<Waker>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Task {
    Register,
    Take,
    Clear(Vec<usize>),
    Look(usize, Vec<usize>),
    Sleeping,
}

#[derive(Default)]
struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Model {
    fn new(happenings: &[usize]) -> Self {
        let ready = Arc::<Ready>::default();
        let count = happenings.iter().max().map_or(0, |most| most + 1);
        let sockets = (0..count).map(|id| SocketWaker::new(SocketId::from_u64(id as u64), &ready)).collect();
        let happenings =
            happenings.iter().map(|socket| Happening { socket: *socket, step: 0, waker: None }).collect();
        let (unseen, called) = (vec![0; count], Arc::default());
        Self { ready, sockets, task: Task::Register, happenings, unseen, called, seen: 0 }
    }

    fn calls(&self) -> usize {
        self.called.0.load(Ordering::SeqCst)
    }

    /// Who can take a step: the happenings by their place, and behind them the task.
    fn able(&self) -> Vec<usize> {
        let task = self.happenings.len();
        let mut able: Vec<_> = (0..task).filter(|place| self.happenings[*place].step < 4).collect();
        // A call that came since the task began is heard when it returns.
        if self.task != Task::Sleeping || self.calls() != self.seen {
            able.push(task);
        }
        able
    }

    /// Everything that decides what can still happen.
    fn state(&self) -> String {
        let ready = self.ready.0.lock().unwrap();
        let noted: Vec<_> = self.sockets.iter().map(|it| it.noted.load(Ordering::SeqCst)).collect();
        let steps: Vec<_> = self.happenings.iter().map(|it| (it.step, it.waker.is_some())).collect();
        let is_called = self.calls() != self.seen;
        format!("{:?} {steps:?} {:?} {noted:?} {:?} {is_called}", self.task, self.unseen, *ready)
    }

    fn step(&mut self, who: usize) {
        match self.happenings.get_mut(who) {
            Some(happening) => {
                let socket = &self.sockets[happening.socket];
                happening.step += 1;
                match happening.step {
                    1 => self.unseen[happening.socket] += 1,
                    2 if socket.is_first() => {}
                    2 => happening.step = 4,
                    3 => happening.waker = socket.ready.note(socket.id),
                    _ => happening.waker.take().into_iter().for_each(Waker::wake),
                }
            }
            None => self.step_task(),
        }
    }

    /// As `Driver::poll` does it.
    fn step_task(&mut self) {
        let calls = self.calls();
        self.task = match core::mem::replace(&mut self.task, Task::Register) {
            Task::Sleeping => Task::Register,
            Task::Register => {
                self.ready.register(&Waker::from(Arc::clone(&self.called)));
                Task::Take
            }
            Task::Take => {
                let mut noted = Vec::new();
                self.ready.take(&mut noted);
                if noted.is_empty() {
                    Task::Sleeping
                } else {
                    Task::Clear(noted.iter().map(|id| usize::try_from(id.as_u64()).unwrap()).collect())
                }
            }
            Task::Clear(mut noted) => match noted.pop() {
                None => Task::Take,
                Some(socket) => {
                    self.sockets[socket].clear();
                    Task::Look(socket, noted)
                }
            },
            Task::Look(socket, noted) => {
                self.unseen[socket] = 0;
                Task::Clear(noted)
            }
        };
        if self.task == Task::Register {
            self.seen = calls;
        }
    }
}

/// Takes the steps in every order; the answer is how many states that led through.
fn explore(happenings: &[usize]) -> usize {
    let mut known = BTreeSet::new();
    let mut path: Vec<(usize, usize)> = Vec::new();
    loop {
        let mut model = Model::new(happenings);
        let mut depth = 0;
        loop {
            let able = model.able();
            if able.is_empty() {
                break;
            }
            if depth == path.len() {
                if !known.insert(model.state()) {
                    // What follows has been seen behind another order.
                    model.unseen.clear();
                    break;
                }
                path.push((0, able.len()));
            }
            model.step(able[path[depth].0]);
            depth += 1;
            assert!(depth < 200, "the task never sleeps: {path:?}");
        }
        assert!(model.unseen.iter().all(|unseen| *unseen == 0), "a wake-up was lost: {path:?}");
        while let Some((choice, choices)) = path.last_mut() {
            *choice += 1;
            if choice < choices {
                break;
            }
            path.pop();
        }
        if path.is_empty() {
            return known.len();
        }
    }
}

#[test]
fn no_order_of_steps_loses_a_wake_up() {
    assert!(explore(&[0]) > 10);
    assert!(explore(&[0, 0, 0]) > 500, "three times the same socket");
    assert!(explore(&[0, 1, 0]) > 500, "two sockets");
}
