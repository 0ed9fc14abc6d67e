use realscope_train::{recipe::Recipe, run};
use std::path::Path;
type B = burn::backend::Autodiff<burn::backend::LibTorch<f32>>;
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let recipe = Recipe::read(Path::new(&a[1])).unwrap();
    let mut log = |s: &str| eprintln!("{s}");
    let f = run::train::<B>(&recipe, Path::new(&a[2]), Path::new(&a[3]), &Default::default(), &mut log).unwrap();
    println!("{f:?}");
}
