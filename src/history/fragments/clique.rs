//! One list into cliques.

/// Not allowed to stand together.
pub(super) const APART: f32 = -1.0;

/// Gains of putting two items of one list together: [`APART`], or more than 0.
#[derive(Debug, Default)]
pub(super) struct Gains {
    size: usize,
    gains: Vec<f32>,
}

impl Gains {
    /// For a list of `size` items, all apart.
    pub(super) fn reset(&mut self, size: usize) {
        self.size = size;
        self.gains.clear();
        self.gains.resize(size * size, APART);
    }

    pub(super) fn set(&mut self, i: usize, j: usize, gain: f32) {
        self.gains[i * self.size + j] = gain;
        self.gains[j * self.size + i] = gain;
    }

    fn get(&self, i: usize, j: usize) -> f32 {
        self.gains[i * self.size + j]
    }
}

/// Whether two groups of items of a list may be put together, beyond their pairs.
pub(super) type Allow<'a> = &'a dyn Fn(&[u16], &[u16]) -> bool;

/// Room for cutting lists.
#[derive(Debug, Default)]
pub(super) struct Cutter {
    /// Gain of putting two groups together; a group is named by its first member.
    links: Vec<f32>,
    groups: Vec<Vec<u16>>,
    best: Vec<(f32, usize)>,
}

impl Cutter {
    /// Puts groups together, the largest gain first, while they have at most `most` items: average work is the square of the list's length. `labels` tells which items are together at the start, and
    /// then in the end.
    pub(super) fn join(&mut self, gains: &Gains, most: usize, labels: &mut [u16], allow: Option<Allow<'_>>) {
        let size = gains.size;
        self.start(gains, most, labels);
        self.best.clear();
        for i in 0..size {
            let best = self.scan(i, size);
            self.best.push(best);
        }
        while let Some((i, &(gain, j))) = self.best.iter().enumerate().rev().max_by(|a, b| a.1.0.total_cmp(&b.1.0)) {
            if gain <= 0.0 {
                break;
            }
            if allow.is_some_and(|allow| !allow(&self.groups[i], &self.groups[j])) {
                self.links[i * size + j] = APART;
                self.links[j * size + i] = APART;
                self.best[i] = self.scan(i, size);
                self.best[j] = self.scan(j, size);
                continue;
            }
            let (i, j) = (i.min(j), i.max(j));
            self.merge(i, j, size, most);
            self.best[j] = (APART, j);
            self.best[i] = self.scan(i, size);
            for x in 0..size {
                if x == i || x == j || self.groups[x].is_empty() {
                    continue;
                }
                if self.best[x].1 == i || self.best[x].1 == j {
                    self.best[x] = self.scan(x, size);
                } else if self.links[x * size + i] > 0.0 {
                    let mean = self.mean(self.links[x * size + i], x, i);
                    if mean > self.best[x].0 {
                        self.best[x] = (mean, i);
                    }
                }
            }
        }
        self.finish(labels);
    }

    /// Groups as `labels` has them, and the gains between them.
    fn start(&mut self, gains: &Gains, most: usize, labels: &[u16]) {
        let size = gains.size;
        self.links.clear();
        self.links.extend_from_slice(&gains.gains);
        self.groups.resize_with(size.max(self.groups.len()), Vec::new);
        self.groups.truncate(size);
        for (i, group) in self.groups.iter_mut().enumerate() {
            group.clear();
            group.push(index(i));
        }
        let mut firsts = vec![usize::MAX; size];
        for (i, label) in labels.iter().enumerate() {
            let first = &mut firsts[usize::from(*label)];
            if *first == usize::MAX {
                *first = i;
            } else {
                let first = *first;
                self.merge(first, i, size, most);
            }
        }
    }

    fn merge(&mut self, i: usize, j: usize, size: usize, most: usize) {
        let moved = std::mem::take(&mut self.groups[j]);
        self.groups[i].extend_from_slice(&moved);
        let length = self.groups[i].len();
        for x in 0..size {
            let other = self.groups[x].len();
            let (a, b) = (self.links[i * size + x], self.links[j * size + x]);
            let together = if x != i && a > 0.0 && b > 0.0 && length + other <= most { a + b } else { APART };
            self.links[i * size + x] = together;
            self.links[x * size + i] = together;
            self.links[j * size + x] = APART;
            self.links[x * size + j] = APART;
        }
    }

    fn scan(&self, i: usize, size: usize) -> (f32, usize) {
        let mut best = (APART, i);
        if self.groups[i].is_empty() {
            return best;
        }
        for (j, &link) in self.links[i * size..(i + 1) * size].iter().enumerate() {
            if link > 0.0 {
                let mean = self.mean(link, i, j);
                if mean > best.0 {
                    best = (mean, j);
                }
            }
        }
        best
    }

    /// Gain of a pair: a small group is as good as a large one, so that fewer items are left alone.
    fn mean(&self, link: f32, i: usize, j: usize) -> f32 {
        link / single(self.groups[i].len() * self.groups[j].len())
    }

    fn finish(&mut self, labels: &mut [u16]) {
        for members in &self.groups {
            // Named by its first member, so that no two groups ever get the same name.
            let name = members.iter().min().copied().unwrap_or_default();
            for &member in members {
                labels[usize::from(member)] = name;
            }
        }
    }

    /// Moves single items to groups where they gain more, or exchanges two, until nothing gains or `passes` are over. Follows [`Cutter::join`].
    pub(super) fn improve(&mut self, gains: &Gains, most: usize, labels: &mut [u16], passes: usize) {
        let size = gains.size;
        for _ in 0..passes {
            let mut changed = false;
            for i in 0..size {
                let own = usize::from(labels[i]);
                let Some((target, exchanged)) = self.better_place(gains, most, i, own) else { continue };
                changed = true;
                let item = index(i);
                self.groups[own].retain(|&other| other != item);
                if let Some(other) = exchanged {
                    self.groups[target].retain(|&member| member != other);
                    self.groups[own].push(other);
                    labels[usize::from(other)] = index(own);
                }
                self.groups[target].push(item);
                labels[i] = index(target);
            }
            if !changed {
                break;
            }
        }
        self.finish(labels);
    }

    /// The group where item `i` gains most, and the item that leaves it in exchange.
    fn better_place(&self, gains: &Gains, most: usize, i: usize, own: usize) -> Option<(usize, Option<u16>)> {
        let here = link(gains, i, &self.groups[own], None)?;
        let (mut best, mut place) = (here + 1e-6, None);
        for (target, members) in self.groups.iter().enumerate() {
            if target == own || members.is_empty() {
                continue;
            }
            let apart = members.iter().filter(|&&member| gains.get(i, usize::from(member)) <= 0.0).count();
            if apart == 0
                && members.len() < most
                && let Some(gain) = link(gains, i, members, None)
                && gain > best
            {
                (best, place) = (gain, Some((target, None)));
            }
            if apart > 1 {
                continue;
            }
            for &other in members {
                let Some(gain) = link(gains, i, members, Some(other)) else { continue };
                // Its own members beside i, not yet known to fit the other item.
                let Some(back) = link(gains, usize::from(other), &self.groups[own], Some(index(i))) else { continue };
                let Some(lost) = link(gains, usize::from(other), members, None) else { continue };
                if gain + back - lost > best {
                    (best, place) = (gain + back - lost, Some((target, Some(other))));
                }
            }
        }
        place
    }
}

/// Gain of an item with the members of a group, without itself and `except`; nothing if it does not fit one of them.
fn link(gains: &Gains, item: usize, members: &[u16], except: Option<u16>) -> Option<f32> {
    let mut sum = 0.0;
    for &member in members {
        if usize::from(member) == item || Some(member) == except {
            continue;
        }
        let gain = gains.get(item, usize::from(member));
        if gain <= 0.0 {
            return None;
        }
        sum += gain;
    }
    Some(sum)
}

#[expect(clippy::cast_precision_loss, reason = "a product of two lengths of groups")]
fn single(count: usize) -> f32 {
    count as f32
}

#[expect(clippy::cast_possible_truncation, reason = "lists have at most 512 items")]
pub(super) fn index(place: usize) -> u16 {
    place as u16
}
