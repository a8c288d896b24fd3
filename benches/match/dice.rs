//! Numbers that look random and are the same in every run.

#[derive(Clone)]
pub struct Dice(pub u64);

impl Dice {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// From 0 to 1.
    pub fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// A rank below `end`, the first ones most often: by Zipf's law.
    pub fn zipf(&mut self, end: usize) -> usize {
        ((end as f64 + 1.0).powf(self.part()) as usize).clamp(1, end) - 1
    }

    /// A rank below `end`, the first ones most often, but less so than by Zipf's law.
    pub fn shared(&mut self, end: usize) -> usize {
        ((self.part().powi(2) * end as f64) as usize).min(end - 1)
    }

    /// Log-normal, by its median and how many times more the 99th of a hundred is.
    pub fn spread(&mut self, median: f64, last_of_hundred: f64) -> f64 {
        let normal = (0..12).map(|_| self.part()).sum::<f64>() - 6.0;
        median * ((last_of_hundred / median).ln() / 2.326 * normal).exp()
    }
}
