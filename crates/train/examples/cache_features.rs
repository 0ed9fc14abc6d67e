//! Scratch.
use realscope_detectors::calibration::Tier;
use realscope_train::{
    features::{self, Delivery},
    manifest,
    recipe::Recipe,
};
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let recipe = Recipe::read(a[1].as_ref()).expect("recipe");
    let root = std::path::Path::new(&a[2]);
    let split = manifest::read(root, &recipe.data, recipe.view).expect("manifest");
    let items: Vec<_> = split.train.into_iter().chain(split.validation).collect();
    let mut d: Vec<Delivery> = vec![
        Delivery::Native,
        Delivery::Arm(Tier::Clean),
        Delivery::Arm(Tier::Web),
        Delivery::Arm(Tier::Hard),
    ];
    d.extend((0..6).map(Delivery::Random));
    let n = features::cache(root, &items, &d, &recipe.augment, 1, a[3].as_ref(), &|i| {
        if i % 200 == 0 {
            eprintln!("{i}")
        }
    })
    .expect("cache");
    eprintln!("{n} rows");
}
