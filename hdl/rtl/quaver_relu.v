// ReLU of an FP32 value. Combinational.
//
//   value_i, value_o   FP32. NaN stays as it is; negative numbers, -Inf and -0
//                      become +0; everything else is unchanged.
`default_nettype none

module quaver_relu (
    input  wire [31:0]   value_i,
    output wire [31:0]   value_o
);
    wire nan = (&value_i[30:23]) && (|value_i[22:0]);

    assign value_o = (value_i[31] && !nan) ? 32'd0 : value_i;
endmodule

`default_nettype wire
