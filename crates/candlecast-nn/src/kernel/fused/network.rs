//! [`FusedNetwork`]: the safe face of the kernels.

use std::ops::Range;
use std::sync::Arc;

use super::packing::Packing;
use super::tape::{FusedState, FusedTape};
use super::{avx2, avx512};
use crate::dropout::Dropout;
use crate::isa::Isa;
use crate::network::{Network, Outputs, PARTS, Weights};
use crate::shape::Shape;

/// A network computed by the fused kernels. It exists only where the processor has the instruction set.
#[derive(Debug)]
pub(crate) struct FusedNetwork {
    shape: Shape,
    packing: Arc<Packing>,
    isa: Isa,
}

impl FusedNetwork {
    /// A network of `shape` on `isa`; `None` if there are no fused kernels for it or the processor lacks it.
    pub(crate) fn new(shape: Shape, isa: Isa) -> Option<Self> {
        let lanes = match isa {
            Isa::Avx512 => 16,
            Isa::Avx2 => 8,
            Isa::Portable => return None,
        };
        let packing = Arc::new(Packing::new(&shape, lanes));
        isa.is_available().then_some(Self { shape, packing, isa })
    }

    /// Asserts what the kernels rely on.
    fn check(&self, w: Weights<'_>, packing: &Arc<Packing>, rows: usize, room: usize) {
        assert!(Arc::ptr_eq(packing, &self.packing), "a tape belongs to the network that made it");
        assert!(rows <= room, "a pass of {rows} rows needs a tape of at least as many, not {room}");
        assert_eq!(w.params.len(), self.packing.n_params, "parameters must be packed by this network");
        assert_eq!(w.derived.len(), self.packing.n_derived, "derived numbers must be made by this network");
    }
}

impl Network for FusedNetwork {
    type Tape = FusedTape;
    type State = FusedState;

    fn shape(&self) -> &Shape {
        &self.shape
    }

    fn n_params(&self) -> usize {
        self.packing.n_params
    }

    fn head_bias(&self) -> Range<usize> {
        self.packing.head_bias..self.packing.head_bias + self.packing.out_pad
    }

    fn pack(&self, canonical: &[f32], params: &mut [f32]) {
        self.packing.pack(&self.shape, canonical, params);
    }

    fn unpack(&self, params: &[f32], canonical: &mut [f32]) {
        self.packing.unpack(&self.shape, params, canonical);
    }

    fn derived_bounds(&self) -> [usize; PARTS + 1] {
        self.packing.derived_bounds()
    }

    fn derive(&self, params: &[f32], part: usize, out: &mut [f32]) {
        self.packing.derive(params, part, out);
    }

    fn tape(&self, rows: usize, dropout: bool) -> FusedTape {
        FusedTape::new(&self.packing, rows, dropout)
    }

    fn tape_input<'a>(&self, tape: &'a mut FusedTape) -> &'a mut [f32] {
        &mut tape.input
    }

    fn forward(&self, w: Weights<'_>, tape: &mut FusedTape, rows: usize, dropout: Option<Dropout>) {
        self.check(w, &tape.packing, rows, tape.rows);
        assert!(tape.dropout || dropout.is_none(), "a pass with dropout needs a tape made for it");
        // SAFETY: the network exists, so the processor has the instruction set; the rest was asserted.
        unsafe {
            match self.isa {
                Isa::Avx512 => avx512::forward(&self.packing, w, tape, rows, dropout),
                _ => avx2::forward(&self.packing, w, tape, rows, dropout),
            }
        }
    }

    fn tape_output<'a>(&self, tape: &'a mut FusedTape) -> Outputs<'a> {
        Outputs::new(&mut tape.out, self.packing.out_pad, self.packing.outputs)
    }

    fn backward(&self, w: Weights<'_>, tape: &mut FusedTape, rows: usize, dropout: Option<Dropout>, grad: &mut [f32]) {
        self.check(w, &tape.packing, rows, tape.rows);
        assert!(tape.dropout || dropout.is_none(), "a pass with dropout needs a tape made for it");
        assert_eq!(grad.len(), self.packing.n_params, "gradient and parameters must have one length");
        // SAFETY: as in `forward`. After another pass, or none, the buffers hold other numbers, but all of them.
        unsafe {
            match self.isa {
                Isa::Avx512 => avx512::backward(&self.packing, w, tape, rows, dropout, grad),
                _ => avx2::backward(&self.packing, w, tape, rows, dropout, grad),
            }
        }
    }

    fn state(&self, rows: usize) -> FusedState {
        FusedState::new(&self.packing, rows)
    }

    fn state_input<'a>(&self, state: &'a mut FusedState) -> &'a mut [f32] {
        &mut state.input
    }

    fn infer(&self, w: Weights<'_>, state: &mut FusedState, rows: usize) {
        self.check(w, &state.packing, rows, state.rows);
        // SAFETY: as in `forward`.
        unsafe {
            match self.isa {
                Isa::Avx512 => avx512::infer(&self.packing, w, state, rows),
                _ => avx2::infer(&self.packing, w, state, rows),
            }
        }
    }

    fn state_output<'a>(&self, state: &'a mut FusedState) -> Outputs<'a> {
        Outputs::new(&mut state.out, self.packing.out_pad, self.packing.outputs)
    }
}
