//! Trials of several metrics: which dominate which, the volume that a front dominates, and the part of a front that
//! dominates most.
//!
//! Losses throughout: lower is better. A point dominates another that is nowhere lower and somewhere higher.

use std::cmp::Ordering;

/// What stands for 0 in a reference point, so that the volume below it is not empty.
const TINY: f64 = 1e-12;

/// The front that each point belongs to: 0 for those that no other dominates, 1 for those that only those dominate, and
/// so on; equal points are of the same (Deb and others 2002, sec. III A).
pub(crate) fn ranks(losses: &[Vec<f64>]) -> Vec<usize> {
    let mut ranks = vec![0; losses.len()];
    let mut left: Vec<usize> = (0..losses.len()).collect();
    let mut rank = 0;
    while !left.is_empty() {
        let is_dominated = |i: usize| left.iter().any(|&j| dominates(&losses[j], &losses[i]));
        let (later, front): (Vec<usize>, Vec<usize>) = left.iter().copied().partition(|&i| is_dominated(i));
        for i in front {
            ranks[i] = rank;
        }
        left = later;
        rank += 1;
    }
    ranks
}

fn dominates(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| a <= b) && a.iter().zip(b).any(|(a, b)| a < b)
}

/// Places of the `n` best points, ascending: front by front, and of the front that does not fit as a whole the part that
/// dominates most, chosen greedily (Guerreiro, Fonseca and Paquete 2016).
pub(crate) fn best(losses: &[Vec<f64>], n: usize) -> Vec<usize> {
    let ranks = ranks(losses);
    let mut chosen: Vec<usize> = Vec::new();
    for rank in 0.. {
        let front: Vec<usize> = (0..losses.len()).filter(|&i| ranks[i] == rank).collect();
        let room = n.saturating_sub(chosen.len());
        if room == 0 || front.is_empty() {
            break;
        }
        if front.len() <= room {
            chosen.extend(front);
        } else {
            let of_front: Vec<&[f64]> = front.iter().map(|&i| losses[i].as_slice()).collect();
            chosen.extend(widest(&of_front, room).into_iter().map(|i| front[i]));
        }
    }
    chosen.sort_unstable();
    chosen
}

/// Places of `n` of the points of a front, fewer than all, whose dominated volume is largest, added one after another;
/// equal points count once as long as there are others.
fn widest(front: &[&[f64]], n: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..front.len()).collect();
    order.sort_by(|&a, &b| lexicographic(front[a], front[b]));
    let is_new = |at: usize| at == 0 || front[order[at]] != front[order[at - 1]];
    let unique: Vec<usize> = (0..order.len()).filter(|&at| is_new(at)).map(|at| order[at]).collect();
    if unique.len() <= n {
        let repeated = (0..front.len()).filter(|i| !unique.contains(i));
        return unique.iter().copied().chain(repeated).take(n).collect();
    }
    let reference = reference_point(front);
    if !reference.iter().all(|r| r.is_finite()) {
        return unique.into_iter().take(n).collect();
    }
    let mut left = unique;
    let mut chosen: Vec<usize> = Vec::new();
    while chosen.len() < n {
        let selected: Vec<&[f64]> = chosen.iter().map(|&i| front[i]).collect();
        let (at, _) = left
            .iter()
            .map(|&i| gain(front[i], &selected, &reference))
            .enumerate()
            .fold((0, f64::NEG_INFINITY), |most, this| if this.1 > most.1 { this } else { most });
        chosen.push(left.remove(at));
    }
    chosen
}

/// Just beyond the worst loss of each metric.
fn reference_point(front: &[&[f64]]) -> Vec<f64> {
    let n_metrics = front.first().map_or(0, |losses| losses.len());
    let worst = |metric: usize| front.iter().map(|losses| losses[metric]).fold(f64::NEG_INFINITY, f64::max);
    (0..n_metrics)
        .map(|metric| {
            let beyond = (1.1 * worst(metric)).max(0.9 * worst(metric));
            if beyond == 0.0 { TINY } else { beyond }
        })
        .collect()
}

/// Volume that `point` dominates and none of `others` does.
fn gain(point: &[f64], others: &[&[f64]], reference: &[f64]) -> f64 {
    let own: f64 = point.iter().zip(reference).map(|(x, r)| r - x).product();
    let shared: Vec<Vec<f64>> =
        others.iter().map(|other| point.iter().zip(*other).map(|(a, b)| a.max(*b)).collect()).collect();
    own - volume(&shared, reference)
}

/// Volume between `points` and `reference` that at least one of them dominates, by inclusion and exclusion (While,
/// Bradstreet and Barone 2012). No point lies beyond the reference.
pub(crate) fn volume(points: &[Vec<f64>], reference: &[f64]) -> f64 {
    let mut front: Vec<&[f64]> = Vec::new();
    for point in points.iter().map(Vec::as_slice) {
        if front.iter().any(|kept| kept == &point || dominates(kept, point)) {
            continue;
        }
        front.retain(|kept| !dominates(point, kept));
        front.push(point);
    }
    (0..front.len()).map(|i| gain(front[i], &front[i + 1..], reference)).sum()
}

fn lexicographic(a: &[f64], b: &[f64]) -> Ordering {
    a.iter().zip(b).map(|(a, b)| a.total_cmp(b)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fronts_peel_off_one_by_one() {
        let losses =
            vec![vec![1.0, 4.0], vec![2.0, 2.0], vec![4.0, 1.0], vec![3.0, 3.0], vec![2.0, 2.0], vec![5.0, 5.0]];
        assert_eq!(ranks(&losses), [0, 0, 0, 1, 0, 2]);
        assert_eq!(ranks(&[]), Vec::<usize>::new());
    }

    #[test]
    fn volumes_of_boxes_and_their_unions() {
        let reference = [4.0, 4.0, 4.0];
        let boxes = [vec![1.0, 2.0, 3.0], vec![3.0, 1.0, 2.0], vec![2.0, 3.0, 1.0]];
        assert_eq!(volume(&boxes[..1], &reference), 6.0);
        assert_eq!(volume(&boxes[..2], &reference), 6.0 + 6.0 - 2.0);
        assert_eq!(volume(&boxes, &reference), 18.0 - 3.0 * 2.0 + 1.0);
        assert_eq!(volume(&[], &reference), 0.0);
        let twice = [vec![1.0, 1.0], vec![1.0, 1.0], vec![2.0, 3.0]];
        assert_eq!(volume(&twice, &[4.0, 4.0]), 9.0);
    }

    #[test]
    fn of_a_front_the_widest_part_is_chosen() {
        let losses: Vec<Vec<f64>> = [0.0, 1.0, 2.0, 3.0, 4.0].iter().map(|x| vec![*x, 4.0 - x]).collect();
        assert_eq!(best(&losses, 1), [2], "the middle dominates most");
        assert_eq!(best(&losses, 5), [0, 1, 2, 3, 4]);
        assert_eq!(best(&losses, 0), Vec::<usize>::new());
        let equal = vec![vec![1.0, 1.0]; 4];
        assert_eq!(best(&equal, 2), [0, 1]);
        assert_eq!(best(&[vec![f64::INFINITY, 0.0], vec![0.0, 1.0], vec![2.0, 0.5]], 2).len(), 2);
    }
}
