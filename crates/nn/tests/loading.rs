//! Weights load only whole, and what a network makes itself must be what the file says.

use realscope_nn::swin::{Swin, SwinConfig};
use realscope_nn::{Cpu, Parameters, StateDict, WeightsError};

/// Two stages: windows of a map of 8x8 are shifted, the map of 4x4 is one window.
fn swin() -> Swin<Cpu> {
    let config = SwinConfig {
        image: 16,
        patch: 2,
        window: 4,
        width: 4,
        depths: vec![2, 2],
        heads: vec![1, 2],
        classes: 3,
    };
    config.init(&Default::default())
}

fn load(dict: &StateDict) -> Result<(), WeightsError> {
    swin().load(dict, &Default::default())
}

#[test]
fn tensors_are_named_where_they_do_not_fit() {
    let dict = swin().state_dict();
    load(&dict).expect("its own weights");
    let without = |key: &str| {
        let dict = dict.clone();
        dict.renamed(|k| (k != key).then(|| k.to_owned()))
    };
    let head = "head.weight".to_owned();
    match load(&without(&head)) {
        Err(WeightsError::Missing { key }) => assert_eq!(key, head),
        other => panic!("{other:?}"),
    }
    let mut extra = dict.clone();
    extra.insert("head.scale", vec![1], vec![0.0]);
    match load(&extra) {
        Err(WeightsError::Extra { key }) => assert_eq!(key, "head.scale"),
        other => panic!("{other:?}"),
    }
    let mut misshapen = dict.clone();
    misshapen.insert(&head, vec![3, 9], vec![0.0; 27]);
    match load(&misshapen) {
        Err(WeightsError::Shape { key, .. }) => assert_eq!(key, head),
        other => panic!("{other:?}"),
    }
}

#[test]
fn constants_may_be_left_out_but_not_differ() {
    let dict = swin().state_dict();
    let mask = "layers.0.blocks.1.attn_mask";
    let (shape, values) = dict.get(mask).expect("a shifted block");
    assert_eq!(shape, [4, 16, 16]);
    // The first window is whole; the last one is of four parts, each a quarter of its tokens.
    assert!(values[..256].iter().all(|v| *v == 0.0));
    let together = values[768..].iter().filter(|v| **v == 0.0).count();
    assert_eq!(together, 4 * 4 * 4);
    assert!(dict.get("layers.0.blocks.0.attn_mask").is_none());
    assert!(dict.get("layers.1.blocks.1.attn_mask").is_none());
    // Tokens one row apart: the middle of 7 rows plus one, the middle of 7 columns.
    let (_, index) = dict
        .get("layers.1.blocks.0.attn.relative_position_index")
        .expect("the index");
    assert_eq!((index[0], index[4 * 16]), (24.0, 31.0));

    let newer = dict
        .clone()
        .renamed(|k| (!k.contains("attn_mask") && !k.contains("index")).then(|| k.to_owned()));
    load(&newer).expect("files without constants");
    let mut other = dict.clone();
    let mut changed = values.to_vec();
    changed[0] = -100.0;
    other.insert(mask, shape.to_vec(), changed);
    match load(&other) {
        Err(WeightsError::Constant { key }) => assert_eq!(key, mask),
        result => panic!("{result:?}"),
    }
}
