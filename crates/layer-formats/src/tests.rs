//! What holds of all writers together; each file has its own tests beside this.

use std::cell::Cell;
use std::io::{self, Write};

use super::*;

fn stack(layers: usize, (width, height): (u32, u32)) -> Stack {
    let layer = |place| {
        let layer = Layer::new(
            place,
            format!("Layer {place}"),
            Bounds::new(0, 0, width, height),
        );
        Node::Layer(layer)
    };
    Stack {
        width,
        height,
        pixels_per_inch: 72.0,
        title: "Test".into(),
        recipe: None,
        nodes: (0..layers).map(layer).collect(),
    }
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(200))]
    #[test]
    fn any_stack_is_read_again_as_it_was(data in proptest::collection::vec(0_u8.., 0..400)) {
        fuzzing::stack(&data);
    }
}

/// Pictures of one colour that count how many are open.
#[derive(Default)]
struct Counted {
    open: Cell<usize>,
    most: Cell<usize>,
    rows: Cell<usize>,
}

struct CountedRows<'a>(&'a Counted);

impl Pictures for Counted {
    fn open(&self, _: usize) -> io::Result<Box<dyn Rows + '_>> {
        self.open.set(self.open.get() + 1);
        self.most.set(self.most.get().max(self.open.get()));
        Ok(Box::new(CountedRows(self)))
    }
}

impl Rows for CountedRows<'_> {
    fn read(&mut self, rows: &mut [u8]) -> io::Result<()> {
        rows.fill(200);
        self.0.rows.set(self.0.rows.get().max(rows.len()));
        Ok(())
    }
}

impl Drop for CountedRows<'_> {
    fn drop(&mut self) {
        self.0.open.set(self.0.open.get() - 1);
    }
}

#[test]
fn layers_are_asked_in_bands_and_closed_when_they_end() {
    let mut stack = stack(8, (500, 400));
    // One below the other: no two cross the same row but at their edges.
    for (place, node) in stack.nodes.iter_mut().enumerate() {
        if let Node::Layer(layer) = node {
            layer.bounds = Bounds::new(0, place as i32 * 50, 500, 50);
        }
    }
    for format in Format::ALL {
        let counted = Counted::default();
        format.write(&stack, &counted, &mut io::sink()).unwrap();
        assert_eq!(counted.open.get(), 0);
        assert!(
            counted.most.get() <= 3,
            "{format:?}: {} are open at once",
            counted.most.get()
        );
        assert!(
            counted.rows.get() <= 64 * 500 * 4,
            "{format:?}: {} bytes",
            counted.rows.get()
        );
    }
}

/// Takes so many bytes.
struct Full(usize);

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0 -= bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_export() {
    let stack = stack(2, (60, 60));
    for format in Format::ALL {
        let mut whole = Vec::new();
        format
            .write(&stack, &Counted::default(), &mut whole)
            .unwrap();
        for room in [0, 1, whole.len() / 2, whole.len() - 1] {
            let ended = format.write(&stack, &Counted::default(), &mut Full(room));
            let Err(ExportError::Io(error)) = ended else {
                panic!("{format:?} with room for {room}: {ended:?}");
            };
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
    }
}

/// Fails, or gives other pixels from the second time on.
struct Broken {
    changes: bool,
    reads: Cell<u8>,
}

impl Pictures for Broken {
    fn open(&self, _: usize) -> io::Result<Box<dyn Rows + '_>> {
        Ok(Box::new(self))
    }
}

impl Rows for &Broken {
    fn read(&mut self, rows: &mut [u8]) -> io::Result<()> {
        if !self.changes {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        self.reads.set(self.reads.get() + 1);
        let first = self.reads.get() == 1;
        for (place, sample) in rows.iter_mut().enumerate() {
            *sample = if first { 1 } else { place as u8 | 1 };
        }
        Ok(())
    }
}

#[test]
fn a_picture_that_cannot_be_read_ends_the_export() {
    for format in Format::ALL {
        let broken = Broken {
            changes: false,
            reads: Cell::new(0),
        };
        let ended = format.write(&stack(1, (9, 9)), &broken, &mut io::sink());
        assert!(matches!(ended, Err(ExportError::Io(_))), "{format:?}");
    }
}

#[test]
fn a_layer_that_changes_between_two_readings_makes_no_broken_psd() {
    let broken = Broken {
        changes: true,
        reads: Cell::new(0),
    };
    let ended = Format::Psd.write(&stack(1, (9, 9)), &broken, &mut io::sink());
    let Err(error) = ended else {
        panic!("it was written")
    };
    assert!(
        error.to_string().contains("changed while it was exported"),
        "{error}"
    );
}

#[test]
fn what_cannot_be_written_is_refused_before_the_first_byte() {
    let refused = |stack: &Stack| {
        let mut file = Vec::new();
        let error = Format::Psd
            .write(stack, &Counted::default(), &mut file)
            .unwrap_err();
        assert!(file.is_empty());
        error.to_string()
    };
    assert!(refused(&stack(0, (0, 5))).contains("a canvas of 0 × 5 pixels"));
    assert!(refused(&stack(0, (300_001, 5))).contains("300001 × 5"));
    assert!(refused(&stack(MAX_NODES + 1, (1, 1))).contains("at most 8000 layers"));
    let mut far = stack(1, (5, 5));
    if let Node::Layer(layer) = &mut far.nodes[0] {
        layer.bounds.x = i32::MIN;
    }
    assert!(refused(&far).contains("a layer at Bounds"));
    let mut deep = stack(1, (5, 5));
    for _ in 0..=MAX_DEPTH {
        let nodes = std::mem::take(&mut deep.nodes);
        deep.nodes = vec![Node::Group(Group {
            name: String::new(),
            opacity: 255,
            visible: true,
            nodes,
        })];
    }
    assert!(refused(&deep).contains("10 groups in each other"));
    let mut unresolved = stack(0, (5, 5));
    unresolved.pixels_per_inch = f64::NAN;
    assert!(refused(&unresolved).contains("NaN pixels per inch"));
}

#[test]
fn a_canvas_above_thirty_thousand_pixels_becomes_a_psb() {
    let stack = stack(1, (30_001, 2));
    let mut file = Vec::new();
    Format::Psd
        .write(&stack, &Counted::default(), &mut file)
        .unwrap();
    assert_eq!(file[..6], *b"8BPS\0\x02");
    assert_eq!(Format::Psd.extension(&stack), "psb");
}

#[test]
fn stacks_that_are_kept_for_fuzzing_are_read_again() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../lamina/fuzz/seeds/exports");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        fuzzing::stack(&std::fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 3, "there are {count} seeds");
}
